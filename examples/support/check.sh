# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# check.sh - what the checks of the examples share; sourced by them. TR_FULL=1 runs the long
# forms and holds the times to what is promised; else they have room for a busy machine.
# shellcheck disable=SC2034  # the checks read them
set -u

examples=${top_builddir:-.}/examples
support=${top_builddir:-.}/tests/support
full=${TR_FULL:-0}
work=$(mktemp -d) || exit 1
n_check=0
n_bad=0
children=()

# Ends what is still running, by its number.
leave()
{
    local pid

    for pid in "${children[@]}"; do
        { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null
    done
    rm -rf "$work"
}
trap leave EXIT

# ok NAME COMMAND...: passes if the command does
ok()
{
    local name=$1
    shift

    n_check=$((n_check + 1))
    if "$@"; then
        echo "ok $n_check - $name"
    else
        n_bad=$((n_bad + 1))
        echo "# failed: $*"
        echo "not ok $n_check - $name"
    fi
}

# is NAME GOT WANTED: passes if both texts are equal
is()
{
    n_check=$((n_check + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $n_check - $1"
    else
        n_bad=$((n_bad + 1))
        printf 'got:    %s\nwanted: %s\n' "$2" "$3" | sed 's/^/# /'
        echo "not ok $n_check - $1"
    fi
}

# skip NAME WHY
skip()
{
    n_check=$((n_check + 1))
    echo "ok $n_check - $1 # SKIP $2"
}

# The last line of a check.
done_checking()
{
    echo "1..$n_check"
    [ $n_bad = 0 ]
}

# strict A B: A in the full form, else B
strict()
{
    if [ "$full" = 1 ] && [ "${TR_SANITIZER:-no}" = no ]; then echo "$1"; else echo "$2"; fi
}

# ends_with FILE WORD: its last line has the word
ends_with()
{
    tail -n 1 "$1" | grep -q -- "$2"
}

# between NUMBER MIN MAX, with decimals
between()
{
    awk -v x="$1" -v min="$2" -v max="$3" 'BEGIN { exit !(x ~ /^-?[0-9.]+$/ && x + 0 >= min && x + 0 <= max) }'
}

# until_true SECONDS COMMAND...: repeats the command until it succeeds
until_true()
{
    local i

    for ((i = $1 * 50; i > 0; i--)); do
        "${@:2}" && return 0
        sleep 0.02
    done
    return 1
}

# start LOG COMMAND...: starts a daemon in the background; $pid, and the $port it says it listens on
start()
{
    local log=$1
    shift

    : >"$log" # before the daemon does it: what a former one said must not count
    "$@" >"$log" 2>&1 &
    pid=$!
    children+=("$pid")
    if ! until_true 10 grep -q 'listening on' "$log"; then
        sed 's/^/# /' "$log"
        echo "Bail out! ${1##*/} does not start"
        exit 1
    fi
    port=$(sed -n 's/.*listening on.*[ :]\([0-9][0-9]*\)$/\1/p' "$log")
}

# term PID: sends SIGTERM, waits, sets $status and $took (seconds)
term()
{
    local start=$EPOCHREALTIME

    status=0
    kill -TERM "$1"
    wait "$1" || status=$?
    took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
}

# client STEP...: one connection to $port
client()
{
    "$support/netclient" "$port" "$@"
}

# The lines of a text, joined by "; ".
joined()
{
    awk '{ printf "%s%s", (NR > 1 ? "; " : ""), $0 }'
}
