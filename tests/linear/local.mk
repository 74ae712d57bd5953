# Histories of random calls, explained by models: docs/design/linearizability.md.
check_LTLIBRARIES += tests/linear/liblinear.la
tests_linear_liblinear_la_SOURCES = \
    tests/linear/linear.h tests/linear/models.h \
    tests/linear/model_broadcast.c \
    tests/linear/model_mpsc.c \
    tests/linear/model_oneshot.c \
    tests/linear/model_sync.c \
    tests/linear/model_watch.c \
    tests/linear/run.c \
    tests/linear/search.c
linear_tests = \
    tests/linear/test_broadcast \
    tests/linear/test_mpsc \
    tests/linear/test_oneshot \
    tests/linear/test_search \
    tests/linear/test_sync \
    tests/linear/test_watch
unit_tests += $(linear_tests)
tests_linear_test_mpsc_LDADD = tests/linear/liblinear.la $(LDADD)
tests_linear_test_oneshot_LDADD = tests/linear/liblinear.la $(LDADD)
tests_linear_test_watch_LDADD = tests/linear/liblinear.la $(LDADD)
tests_linear_test_broadcast_LDADD = tests/linear/liblinear.la $(LDADD)
tests_linear_test_sync_LDADD = tests/linear/liblinear.la $(LDADD)
tests_linear_test_search_LDADD = tests/linear/liblinear.la $(LDADD)
