#!/bin/sh
# SPDX-License-Identifier: MIT
# The man pages: each public function and macro is in one, each page has its sections in order, and
# groff has nothing to say about them.
set -eu
cd "${top_srcdir:-$(dirname "$0")/../..}"
: "${TR_HEADERS:=$(find include -name '*.h')}"
work=$(mktemp -d "${TMPDIR:-/tmp}/check-man.XXXXXX")
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

# What the headers declare: functions and static inline ones at the start of a declaration, macros.
public_names()
{
    # shellcheck disable=SC2086  # words
    sed -n -E -e 's/^(TR_API|static inline) .*\<(tr_[a-z0-9_]+)\(.*/\2/p' \
        -e 's/^#define (TR_[A-Z0-9_]+).*/\1/p' $TR_HEADERS |
        grep -vxE 'TR_(BEGIN|END)_DECLS|TR_API|TR_CHECK|TR_GENERATED|TR_PRINTF|TR_STATIC_ASSERT' | sort -u
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
