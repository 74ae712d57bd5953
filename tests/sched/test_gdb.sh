#!/bin/sh
# SPDX-License-Identifier: MIT
# test_gdb.sh - gdb unwinds a running task, and with the shipped script a parked one, in a live
# process and in its core; and it lists the tasks of a runtime.
set -u
parked=${top_builddir:-.}/tests/sched/parked
task=${top_builddir:-.}/tests/sched/parked_task
script=${top_srcdir:-.}/tools/gdb/troupe-gdb.py
n=0

if [ "${TR_SANITIZER:-no}" != no ]; then
    echo "1..0 # SKIP gdb and a sanitizer do not go together"
    exit 0
fi
if ! command -v gdb >/dev/null 2>&1 || ! gdb -nx -batch -ex 'python pass' >/dev/null 2>&1; then
    echo "1..0 # SKIP no gdb with python"
    exit 0
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# says NAME WORDS...: the words occur in $dir/out, each in a later line than the one before; a ~
# in a word is a space.
says() {
    name=$1
    shift
    n=$((n + 1))
    if awk -v want="$*" '
        BEGIN { k = split(want, w, " "); i = 1 }
        i <= k { word = w[i]; gsub(/~/, " ", word) }
        i <= k && index($0, word) { i++ }
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

echo 1..9
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

unset TR_STACK_GUARD
g -ex run -ex "source $script" -ex 'troupe tasks' "$task"
says "the tasks of a runtime are listed" "'dreamer'~waits~for~sleep"
g -ex run -ex "source $script" -ex 'troupe bt dreamer' "$task"
says "and one is shown by its name" tri_park tr_sleep dream dreamer tri_task_main tri_entry
g -ex run -ex "source $script" -ex 'troupe tasks' "$task"
says "the one that runs is listed with its worker" "running~~'root'~on~worker~0,~thread~1"
g -ex run -ex "source $script" -ex 'troupe bt root' "$task"
says "and has no parked frame to show" "is~running~on~worker~0,~thread~1:~use~thread~N~and~bt"
