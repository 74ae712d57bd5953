#!/bin/sh
# SPDX-License-Identifier: MIT
# A file of lib/ includes its own folder and those before it in this list, never one after it.
set -eu
cd "${top_srcdir:-$(dirname "$0")/..}"
layers='base mem sched reactor sync chan combine actor bridge io remote observe'

# Prints FILE: HEADER for each include of a later layer or of a folder that is no layer.
upward()
{
    find lib -type f -name '*.[chS]' -exec grep -HE '^ *# *include *"[^"/]+/' {} + |
        awk -v layers="$layers" '
        BEGIN { n = split(layers, name, " "); for (i = 1; i <= n; i++) rank[name[i]] = i }
        {
            split($0, side, /: *#/); split(side[1], path, "/")
            match($0, /"[^"]+"/); header = substr($0, RSTART + 1, RLENGTH - 2)
            split(header, part, "/")
            if (!(part[1] in rank) || rank[part[1]] > rank[path[2]])
                print side[1] ": " header
        }'
}

echo 1..2
strays=$(find lib -mindepth 1 -maxdepth 1 -type d | while read -r d; do
    case " $layers " in *" ${d#lib/} "*) ;; *) echo "$d" ;; esac
done)
if [ -z "$strays" ]; then
    echo "ok 1 - every folder of lib is a layer"
else
    echo "# $strays"
    echo "not ok 1 - every folder of lib is a layer"
fi

bad=$(upward)
if [ -z "$bad" ]; then
    echo "ok 2 - no layer includes a later one"
else
    echo "$bad" | sed 's/^/#   /'
    echo "not ok 2 - no layer includes a later one"
fi
