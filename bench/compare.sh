#!/bin/sh
# SPDX-License-Identifier: MIT
# Compares two builds of troupe-bench, interleaved: A B A B ..., one process for each run.
#
#     compare.sh [-n RUNS] A B METRIC...      A, B: programs; RUNS: 5
#
# For each figure: median, smallest and largest of both, and how many times better B is. "busy":
# the largest is more than 1.5 times the smallest, so the figures say little.
set -eu

runs=5
if [ "${1-}" = -n ]; then
    runs=$2
    shift 2
fi
if [ $# -lt 3 ]; then
    echo "usage: compare.sh [-n RUNS] A B METRIC..." >&2
    exit 64
fi
a=$1
b=$2
shift 2

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

for metric in "$@"; do
    i=0
    while [ "$i" -lt "$runs" ]; do
        i=$((i + 1))
        "$a" "$metric" | sed 's/^/A /' >>"$lines"
        "$b" "$metric" | sed 's/^/B /' >>"$lines"
    done
done

# Each line: A|B metric value unit. Values sorted, so that the i-th of a key is its i-th smallest.
LC_ALL=C sort -k2,2 -k1,1 -k3,3g "$lines" | awk '
{
    if (!($2 in unit)) { order[++n_metric] = $2; unit[$2] = $4 }
    value[$2, $1, ++n[$2, $1]] = $3
}
function median(m, side,    k)
{
    k = n[m, side]
    return k % 2 ? value[m, side, (k + 1) / 2] : (value[m, side, k / 2] + value[m, side, k / 2 + 1]) / 2
}
function text(m, side)
{
    return sprintf("%14.6g %14.6g %14.6g", median(m, side), value[m, side, 1], value[m, side, n[m, side]])
}
function is_busy(m, side)
{
    return value[m, side, n[m, side]] > 1.5 * value[m, side, 1]
}
END {
    printf "%-20s %14s %14s %14s %14s %14s %14s %8s  %s\n", "metric", "A median", "min", "max", "B median", "min", "max", "B better", "unit"
    for (i = 1; i <= n_metric; i++) {
        m = order[i]
        x = median(m, "A")
        y = median(m, "B")
        if (x > 0 && y > 0)
            better = sprintf("%.3f", unit[m] ~ /\/s$/ ? y / x : x / y)
        else
            better = "-"
        printf "%-20s %s %s %8s  %s%s\n", m, text(m, "A"), text(m, "B"), better, unit[m], is_busy(m, "A") || is_busy(m, "B") ? "  busy" : ""
    }
}'
