# unit_tests += tests/sched/test_x
