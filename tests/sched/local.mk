unit_tests += tests/sched/test_context
check_PROGRAMS += tests/sched/parked tests/sched/parked_task
tests_sched_parked_LDADD = libtroupe-internal.la
tests_sched_parked_task_LDADD = libtroupe-internal.la
script_tests += tests/sched/test_gdb.sh
unit_tests += tests/sched/test_deque tests/sched/test_inbox tests/sched/test_lock tests/sched/test_steal \
    tests/sched/test_task tests/sched/test_task_cancel tests/sched/test_many tests/sched/test_movable tests/sched/test_fair \
    tests/sched/test_scope tests/sched/test_scope_cancel tests/sched/test_gather tests/sched/test_gather_race tests/sched/test_time tests/sched/test_drain tests/sched/test_forgotten \
    tests/sched/test_placement tests/sched/test_misuse tests/sched/test_local \
    tests/sched/test_abort tests/sched/test_set tests/sched/test_slice
EXTRA_DIST += tests/sched/kit.h tests/sched/gather-kit.h tests/sched/scope-kit.h
tests_sched_test_misuse_LDADD = $(LDADD_BLACKBOX)
