#!/bin/sh
# SPDX-License-Identifier: MIT
# Compares troupe-bench with the best peer of each metric in peers.txt, which was measured on
# another machine: as ratios to the physical limits of both machines, ours from the same run.
#
#     peers.sh [-n RUNS] PROGRAM [METRIC...]     RUNS: 5; METRIC: all of peers.txt
#
# One process for each metric and run, the metrics in turn and "limits" once a round. For each:
# median, smallest and largest; the peer's figure; and how many times better ours is, both as
# they are ("as is") and in limits ("by limit"): (peer's ns / its limit) / (our ns / our limit).
# "busy": the largest is more than 1.5 times the smallest, so the figures say little.
set -eu

runs=5
if [ "${1-}" = -n ]; then
    runs=$2
    shift 2
fi
if [ $# -lt 1 ]; then
    echo "usage: peers.sh [-n RUNS] PROGRAM [METRIC...]" >&2
    exit 64
fi
program=$1
shift
table=$(dirname "$0")/peers.txt
[ $# -gt 0 ] || set -- $(awk '$1 == "peer" { print $2 }' "$table")

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

round=0
while [ "$round" -lt "$runs" ]; do
    round=$((round + 1))
    for metric in limits "$@"; do
        "$program" "$metric" >>"$lines" || echo "peers.sh: round $round: $metric failed" >&2
    done
done

# Each line: metric value unit. Values sorted, so that the i-th of a key is its i-th smallest.
LC_ALL=C sort -k1,1 -k2,2g "$lines" | awk -v table="$table" -v wanted="$*" '
{
    value[$1, ++n[$1]] = $2
}
function median(m,    k)
{
    k = n[m]
    return k % 2 ? value[m, (k + 1) / 2] : (value[m, k / 2] + value[m, k / 2 + 1]) / 2
}
function number(x)
{
    sub(/^~/, "", x)
    return x + 0
}
function is_rate(unit)
{
    return unit ~ /\/s$/
}
END {
    while ((getline line < table) > 0) {
        split(line, f, " ")
        if (f[1] == "limit")
            limit[f[2]] = f[3]
        if (f[1] == "peer") {
            who[f[2]] = f[3]
            peer[f[2]] = f[4]
            unit[f[2]] = f[5]
            by[f[2]] = f[6]
        }
    }
    printf "%-16s %11s %11s %11s  %-13s %-9s %10s %8s %8s\n", "metric", "median", "min", "max", "unit", "peer", "figure", "as is", "by limit"
    k = split(wanted, order, " ")
    for (i = 1; i <= k; i++) {
        m = order[i]
        if (!n[m] || !(m in peer)) {
            printf "%-16s no figure\n", m
            continue
        }
        x = median(m)
        p = number(peer[m])
        as_is = is_rate(unit[m]) ? x / p : p / x
        l = by[m]
        in_limits = ((l in limit) && n[l]) ? sprintf("%.2f", as_is * median(l) / limit[l]) : "-"
        busy = (value[m, n[m]] > 1.5 * value[m, 1]) ? "  busy" : ""
        printf "%-16s %11.5g %11.5g %11.5g  %-13s %-9s %10s %8.2f %8s%s\n", m, x, value[m, 1], value[m, n[m]], unit[m], who[m], peer[m], as_is, in_limits, busy
    }
    printf "\nlimits, ns: ours (theirs):"
    for (l in limit)
        if (n[l])
            printf " %s %.3g (%s)", substr(l, 7), median(l), limit[l]
    print ""
}'
