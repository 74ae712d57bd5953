unit_tests += tests/sched/test_context
EXTRA_DIST += tests/sched/test_gdb.sh tests/sched/parked.c
