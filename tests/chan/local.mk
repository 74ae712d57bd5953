unit_tests += tests/chan/test_fork_chan
chan_tests = \
    tests/chan/test_completer \
    tests/chan/test_broadcast \
    tests/chan/test_broadcast_copy \
    tests/chan/test_broadcast_inside \
    tests/chan/test_broadcast_wait \
    tests/chan/test_broadcast_weak \
    tests/chan/test_ask \
    tests/chan/test_ask_cycle \
    tests/chan/test_callbacks \
    tests/chan/test_memory \
    tests/chan/test_ask_arm \
    tests/chan/test_mpsc \
    tests/chan/test_mpsc_end \
    tests/chan/test_mpsc_forms \
    tests/chan/test_mpsc_inside \
    tests/chan/test_mpsc_overflow \
    tests/chan/test_mpsc_permit \
    tests/chan/test_mpsc_urgent \
    tests/chan/test_mpsc_wait \
    tests/chan/test_oneshot \
    tests/chan/test_published \
    tests/chan/test_watch \
    tests/chan/test_watch_more
unit_tests += $(chan_tests)
valgrind_tests += $(chan_tests)
EXTRA_DIST += tests/chan/ask-kit.h tests/chan/copies.h tests/chan/items.h tests/chan/line.h \
    tests/chan/step.h tests/chan/watch-kit.h
