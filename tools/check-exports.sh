#!/bin/sh
# SPDX-License-Identifier: MIT
# The library exports exactly what the public headers declare with TR_API.
set -eu
: "${top_srcdir:=$(dirname "$0")/..}" "${top_builddir:=.}"
lib=$top_builddir/.libs/libtroupe.so
work=$(mktemp -d "${TMPDIR:-/tmp}/check-exports.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The name that TR_API declares is the first tr_ word that a parenthesis, bracket or semicolon
# follows. Comments and directives go first, then each declaration becomes one line.
declared()
{
    for h in $TR_HEADERS; do
        sed -e 's|//.*||' "$top_srcdir/$h" | tr '\n' '\001' |
            sed -e 's|/\*\([^*]\|\*[^/]\)*\*/||g' -e 's/\\\x01/ /g' | tr '\001' '\n' |
            grep -v '^ *#' | tr '\n' ' ' | sed 's/[;{}]/\n/g' |
            sed -n 's/.*\<TR_API\>\(.*\)$/\1;/p' |
            grep -oE '\<tr_[a-z0-9_]+ *[[(;]' | sed 's/ *[[(;]$//'
    done | sort -u
}

exported()
{
    nm -D --defined-only "$lib" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}

declared >"$work/declared"
exported >"$work/exported"
comm -23 "$work/declared" "$work/exported" >"$work/missing"
comm -13 "$work/declared" "$work/exported" >"$work/extra"

echo 1..3
[ -s "$work/exported" ] && echo "ok 1 - something is exported" || echo "not ok 1 - something is exported"
sed 's/^/#   /' "$work/missing" "$work/extra"
[ ! -s "$work/missing" ] && echo "ok 2 - all that is declared is exported" ||
    echo "not ok 2 - all that is declared is exported"
[ ! -s "$work/extra" ] && echo "ok 3 - all that is exported is declared" ||
    echo "not ok 3 - all that is exported is declared"
