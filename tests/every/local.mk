# Everything that can go wrong, at every wait: kit.h. It takes the place of tri_worker_switch().
every_tests = \
    tests/every/test_chan \
    tests/every/test_scope \
    tests/every/test_sock \
    tests/every/test_sync \
    tests/every/test_wait
unit_tests += $(every_tests)
EXTRA_DIST += tests/every/kit.h
HIT_AT_SWITCH = $(AM_LDFLAGS) -Wl,--wrap=tri_worker_switch
tests_every_test_chan_LDFLAGS = $(HIT_AT_SWITCH)
tests_every_test_scope_LDFLAGS = $(HIT_AT_SWITCH)
tests_every_test_sock_LDFLAGS = $(HIT_AT_SWITCH)
tests_every_test_sync_LDFLAGS = $(HIT_AT_SWITCH)
tests_every_test_wait_LDFLAGS = $(HIT_AT_SWITCH)
