#!/bin/sh
# SPDX-License-Identifier: MIT
# The man pages: each public function and macro is in one, each page has its sections in order,
# groff has nothing to say about them, and their examples are in examples.c or examples_more.c,
# which are compiled.
set -eu
cd "${top_srcdir:-$(dirname "$0")/../..}"
: "${TR_HEADERS:=$(find include -name '*.h')}"
work=$(mktemp -d "${TMPDIR:-/tmp}/check-man.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=0
cat docs/man/examples.c docs/man/examples_more.c >"$work/examples.c"

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

# What the headers declare: functions and static inline ones at the start of a declaration, macros.
public_names()
{
    # shellcheck disable=SC2086  # words
    sed -n -E -e 's/^(TR_API|static inline) .*\<(tr_[a-z0-9_]+)\(.*/\2/p' \
        -e 's/^#define (TR_[A-Z0-9_]+).*/\1/p' $TR_HEADERS |
        grep -vxE 'TR_(BEGIN|END)_DECLS|TR_API|TR_CHECK|TR_GENERATED|TR_PRINTF|TR_STATIC_ASSERT' | sort -u
}

# Prints the first line of page $1's example that examples.c lacks; fails if there is one, or no
# example. The lines are there in their order, with at most eight others between two; "...", empty
# lines and the indentation do not count.
strange_example()
{
    awk '
    { text = $0; sub(/^[ \t]+/, "", text) }
    FNR == NR { source[++n] = text; next }
    /^\.SH / { example = /EXAMPLE/; next }
    /^\.E[XE]/ { block = example && /^\.EX/; next }
    !block || text == "" || text == "..." { next }
    { gsub(/\\e/, "\\", text); gsub(/\\-/, "-", text); want[++m] = text }
    END {
        for (i = 1; i <= n && best < m; i++) {
            if (source[i] != want[1])
                continue
            at = i
            for (k = 1; k < m; k++) {
                for (j = at + 1; j <= at + 9 && source[j] != want[k + 1]; j++)
                    ;
                if (j > at + 9)
                    break
                at = j
            }
            best = k > best ? k : best
        }
        if (best < m || !m) print m ? want[best + 1] : "no example"
        exit best < m || !m
    }' "$work/examples.c" "$1"
}

sections='NAME SYNOPSIS DESCRIPTION RETURN VALUE ERRORS THREADS AND PROGRESS EXAMPLE SEE ALSO'

public_names >"$work/names"
n_name=$(wc -l <"$work/names")
[ "$n_name" -gt 100 ] || { echo "only $n_name" >"$work/why"; report 1 "the headers declare names"; }
cat docs/man/*.[1-8] | grep -oE '\<(tr|TR)_[A-Za-z0-9_]+' | sort -u >"$work/shown"
status=0
comm -23 "$work/names" "$work/shown" >"$work/why"
[ ! -s "$work/why" ] || status=1
report $status "every public name is in a man page"

for page in docs/man/*.[1-8]; do
    sed -n 's/^\.SH //p' "$page" | grep -vx ENVIRONMENT | paste -sd ' ' >"$work/why"
    status=0
    [ "$(cat "$work/why")" = "$sections" ] || status=1
    report $status "$page has its sections"
    status=0
    strange_example "$page" >"$work/why" || status=1
    report $status "$page has an example that compiles"
    if command -v groff >/dev/null; then
        groff -ww -z -man -Tutf8 "$page" >"$work/why" 2>&1 || echo "groff failed" >>"$work/why"
        status=0
        [ ! -s "$work/why" ] || status=1
        report $status "$page formats without a warning"
    else
        report 0 "$page formats without a warning # SKIP no groff"
    fi
done
echo "1..$n"
