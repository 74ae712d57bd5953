#!/bin/sh
# SPDX-License-Identifier: MIT
# The guide is true: every block marked ```c in a chapter (and in README.md) occurs literally in the
# program that the chapter names first, and every block marked ```sh run is run; the block
# ```text after it is what it prints, ```text any order the lines of it.
set -eu
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
top_srcdir=$(cd "$top_srcdir" && pwd)
top_builddir=$(cd "$top_builddir" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/check-guide.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=0

# report STATUS NAME
report()
{
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        sed 's/^/#   /' "$work/why"
        echo "not ok $n - $2"
    fi
}

# Prints the blocks of chapter $2 that program $1 does not have; fails if there is one, or none at all.
strange_blocks()
{
    awk '
    FNR == NR { program = program $0 "\n"; next }
    /^```/ && inside { inside = 0; if (!index(program, block)) { bad = 1; printf "%s", block }; next }
    /^```c$/ { inside = 1; n++; block = ""; next }
    inside { block = block $0 "\n" }
    END { if (!n) print "no block"; exit bad || !n || inside }' "$1" "$2"
}

# Writes the blocks of chapter $1 to run as $work/1.sh, 2.sh ..., what they print to 1.out ...
split_runs()
{
    rm -f "$work"/*.sh "$work"/*.out "$work"/*.any
    awk -v work="$work" '
    /^```sh run$/ { out = work "/" ++n ".sh"; printf "" >out; next }
    /^```text/ && ran { out = work "/" n ".out"; printf "" >out; if (/any order/) print >(work "/" n ".any"); next }
    /^```$/ { ran = out ~ /\.sh$/; out = ""; next }
    out { print >out; next }
    NF { ran = 0 }' "$1"
}

# A port that nobody uses now. Programs that find it taken fail, and the block is tried again.
port()
{
    awk -v seed="$$$1" 'BEGIN { srand(seed); print 20000 + int(rand() * 12000) }'
}

# run N: one block, as a reader would type it, in a directory with the programs and guests.txt
run()
{
    (cd "$work/room" && PORT=$(port "$1$2") timeout 100 bash -eu "$work/$1.sh" >"$work/got" 2>&1 </dev/null) ||
        { { cat "$work/$1.sh" "$work/got"; } >"$work/why"; return 1; }
    [ -e "$work/$1.out" ] || return 0
    if [ -e "$work/$1.any" ]; then
        sort -o "$work/got" "$work/got"
        sort -o "$work/$1.out" "$work/$1.out"
    fi
    diff "$work/$1.out" "$work/got" >"$work/why"
}

# A taken port is the one excuse for a second try.
run_twice()
{
    run "$1" a || { grep -q EADDRINUSE "$work/why" && run "$1" b; }
}

mkdir "$work/room"
for f in "$top_builddir"/docs/guide/*; do
    [ ! -f "$f" ] || [ ! -x "$f" ] || ln -s "$f" "$work/room/"
done
cp "$top_srcdir/docs/guide/guests.txt" "$work/room/"

for chapter in "$top_srcdir/README.md" "$top_srcdir"/docs/guide/*.md; do
    name=${chapter#"$top_srcdir"/}
    program=$(grep -oE '\([a-z0-9/]*\.c\)' "$chapter" | head -n 1 | tr -d '()')
    if [ -n "$program" ]; then
        status=0
        strange_blocks "$(dirname "$chapter")/$program" "$chapter" >"$work/why" || status=1
        report $status "$name shows what is in $program"
    fi
    split_runs "$chapter"
    i=1
    while [ -e "$work/$i.sh" ]; do
        status=0
        run_twice $i || status=1
        report $status "$name: $(head -n 1 "$work/$i.sh")"
        i=$((i + 1))
    done
done
echo "1..$n"
