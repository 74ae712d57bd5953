#!/bin/sh
# SPDX-License-Identifier: MIT
# A harness that lets failures pass would make every other test worthless: runs each test of inner.c
# and compares the outcome with what it must be.
set -eu

inner=${top_builddir:-.}/tests/support/inner
out=$(mktemp "${TMPDIR:-/tmp}/test_harness.XXXXXX")
trap 'rm -f "$out"' EXIT
unset CRITERION_OUTPUTS
n=0

# expect NAME STATUS TEXT: the test ends the program with STATUS (0 or 1) and TEXT is in the output
expect()
{
    n=$((n + 1))
    status=0
    TR_TIMEOUT_FACTOR=1 ${under:-} "$inner" "$1" >"$out" 2>&1 || status=1
    if [ "$status" = "$2" ] && grep -q -- "$3" "$out"; then
        echo "ok $n - $1"
    else
        sed 's/^/#   /' "$out"
        echo "not ok $n - $1: status $status, expected $2 and \"$3\""
    fi
}

# refuse NAME TEXT: TEXT must not be in the output of the last run
refuse()
{
    n=$((n + 1))
    if grep -q -- "$2" "$out"; then
        echo "not ok $n - $1"
    else
        echo "ok $n - $1"
    fi
}

echo 1..15
expect inner/passes 0 .
expect inner/fails_a_check 1 '-32 (-EPIPE) is not equal to 0'
refuse "the values of a failure come with the text of the check" 'it went on after need'
expect inner/fails_a_check 1 'it went on after check'
expect inner/fails_a_need 1 'need_lt(2u, -1): 2 is not less than -1'
refuse "need leaves the body" 'it went on after need'
expect inner/skips 0 .
expect inner/hangs 1 '[Tt]imed out'
expect inner/dies 1 .
expect inner/leaves_a_descriptor 1 'still open: /dev/null'
expect bad_init/leaves_out_the_body 1 'need_eq(1, 2)'
refuse "a failed init leaves out the body" 'the body ran'
expect bad_fini/fails 1 'need_eq(1, 2)'
expect inner/passes 0 'TR_SEED='

case $TR_SANITIZER,$TR_HARNESS,${VALGRIND:-} in
*address*) expect inner/leaks 1 'the test leaks' ;;
no,plain,?*)
    under="$VALGRIND --quiet --leak-check=no"
    expect inner/leaks 1 'bytes leaked'
    ;;
*) echo "ok 15 - inner/leaks # SKIP needs AddressSanitizer, or valgrind and the plain harness" ;;
esac
