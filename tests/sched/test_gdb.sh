#!/bin/sh
# SPDX-License-Identifier: MIT
# test_gdb.sh - gdb unwinds a running task, and with the shipped script a parked one, in a live
# process and in its core. PARKED: the program parked; TOP_SRCDIR: the source tree.
set -u
parked=${PARKED:-./tests/sched/parked}
script=${TOP_SRCDIR:-$(dirname "$0")/../..}/tools/gdb/troupe-gdb.py
n=0

if ! command -v gdb >/dev/null 2>&1 || ! gdb -nx -batch -ex 'python pass' >/dev/null 2>&1; then
    echo "1..0 # SKIP no gdb with python"
    exit 0
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# says NAME WORDS...: the words occur in $dir/out, each in a later line than the one before.
says() {
    name=$1
    shift
    n=$((n + 1))
    if awk -v want="$*" '
        BEGIN { k = split(want, w, " "); i = 1 }
        i <= k && index($0, w[i]) { i++ }
        END { exit i <= k }' "$dir/out"; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        sed 's/^/# /' "$dir/out"
    fi
}

g() {
    timeout 60 gdb -nx -batch -iex 'set debuginfod enabled off' "$@" >"$dir/out" 2>&1
}

echo 1..5
g -ex 'break innermost' -ex run -ex bt "$parked"
says "a running task's backtrace reaches its entry" innermost middle outermost tri_entry

g -ex run -ex "source $script" -ex 'troupe bt parked_task.sp' -ex bt "$parked"
says "a parked task's frames are shown in a live process" \
    tri_context_switch innermost middle outermost tri_entry
says "and the thread's own backtrace afterwards is its own" outermost abort main

# gdb's gcore leaves out what lies around a page guarded by advice; the kernel's cores do not.
TR_STACK_GUARD=mprotect
export TR_STACK_GUARD
g -ex run -ex "gcore $dir/core" "$parked"
g -ex "source $script" -ex 'troupe bt parked_task.sp' "$parked" "$dir/core"
says "a parked task's frames are shown from a core" innermost middle outermost tri_entry

g -ex "source $script" -ex 'troupe bt fresh_task.sp' "$parked" "$dir/core"
says "a task that never ran shows its entry" '#0' tri_entry
