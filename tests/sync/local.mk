sync_tests = \
    tests/sync/test_barrier \
    tests/sync/test_mutex \
    tests/sync/test_notify \
    tests/sync/test_once \
    tests/sync/test_rwlock \
    tests/sync/test_semaphore \
    tests/sync/test_tracker
unit_tests += $(sync_tests)
valgrind_tests += $(sync_tests)
EXTRA_DIST += tests/sync/calls.h
