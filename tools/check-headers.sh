#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, and each source in tests/headers and each example against them:
# as C11 by gcc and clang, headers and tests/headers also as C++17 by g++. Where a source names cases
# "TR_BAD == 1", "TR_BAD == 2" ..., the compilers must refuse each of these.
set -eu
cd "${top_srcdir:-$(dirname "$0")/..}"
work=$(mktemp -d "${TMPDIR:-/tmp}/check-headers.XXXXXX")
trap 'rm -rf "$work"' EXIT
strict='-pedantic -Wall -Wextra -Wconversion -Werror -Iinclude'
n=0

# report STATUS NAME
report()
{
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        sed 's/^/#   /' "$work/out"
        echo "not ok $n - $2"
    fi
}

# compile COMPILER LANGUAGE STANDARD FILE [OPTION...]: to an object, as gcc finds a result that nobody
# looks at only then
compile()
{
    compiler=$1 language=$2 standard=$3 file=$4
    shift 4
    # shellcheck disable=SC2086  # $strict is words
    "$compiler" -x "$language" "-std=$standard" $strict "$@" -c -o "$work/object" "$file" >"$work/out" 2>&1
}

# accept COMPILER LANGUAGE STANDARD FILE NAME [OPTION...]
accept()
{
    tried="$1 -std=$3 $5" status=0
    compiler=$1 language=$2 standard=$3 file=$4
    shift 5
    compile "$compiler" "$language" "$standard" "$file" "$@" || status=1
    report $status "$tried"
}

# speaks_of FILE CASE: what the compiler said names a line between this case and the next directive
speaks_of()
{
    awk -v case_="TR_BAD == $2" -v file="$1" '
        NR == FNR && index($0, case_) && $0 !~ case_ "[0-9]" { first = FNR }
        NR == FNR && first && !last && FNR > first && /^ *#/ { last = FNR }
        NR != FNR { split($0, at, ":"); found += at[1] == file && at[2] > first && at[2] < last }
        END { exit !found }' "$1" "$work/out"
}

# reject COMPILER LANGUAGE STANDARD FILE: each case of TR_BAD is refused, for what is wrong in it
reject()
{
    cases=$(grep -oE 'TR_BAD == [1-9][0-9]*' "$4" | grep -oE '[0-9]+$' | sort -nu)
    for case in $cases; do
        status=0
        if compile "$1" "$2" "$3" "$4" "-DTR_BAD=$case" || ! speaks_of "$4" "$case"; then
            status=1
        fi
        report $status "$1 -std=$3 refuses case $case of $4"
    done
}

have()
{
    command -v "$1" >/dev/null 2>&1 && return 0
    n=$((n + 1))
    echo "ok $n - $1 # SKIP not installed"
    return 1
}

# all COMPILER LANGUAGE STANDARD
all()
{
    for h in $TR_HEADERS; do
        printf '#include <%s>\nextern int tr_not_empty;\n' "${h#include/}" >"$work/one.c"
        accept "$1" "$2" "$3" "$work/one.c" "$h" -fsyntax-only
    done
    for f in tests/headers/*.c; do
        accept "$1" "$2" "$3" "$f" "$f"
        reject "$1" "$2" "$3" "$f"
    done
}

for cc in gcc clang; do
    if have $cc; then
        all $cc c c11
        for f in examples/*.c; do
            [ ! -e "$f" ] || accept $cc c gnu11 "$f" "$f" -fsyntax-only
        done
    fi
done
if have g++; then
    all g++ c++ c++17
fi
echo "1..$n"
