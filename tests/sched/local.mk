unit_tests += tests/sched/test_context
EXTRA_DIST += tests/sched/test_gdb.sh tests/sched/parked.c
unit_tests += tests/sched/test_deque tests/sched/test_inbox tests/sched/test_lock tests/sched/test_task tests/sched/test_task_cancel tests/sched/test_fair tests/sched/test_scope tests/sched/test_drain
EXTRA_DIST += tests/sched/kit.h
