# The harness itself, and the tests of the harness.
check_LTLIBRARIES += tests/support/libtrtest.la
tests_support_libtrtest_la_SOURCES = \
    tests/support/tr-actor-test.h \
    tests/support/tr-check.c \
    tests/support/tr-check.h \
    tests/support/tr-guard.c \
    tests/support/tr-guard.h \
    tests/support/tr-seed.c \
    tests/support/tr-test.c \
    tests/support/tr-test.h
tests_support_libtrtest_la_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
if HARNESS_PLAIN
tests_support_libtrtest_la_SOURCES += tests/support/main-plain.c
else
tests_support_libtrtest_la_SOURCES += tests/support/main-criterion.c
endif

check_PROGRAMS += tests/support/inner
script_tests += tests/support/test_harness.sh
unit_tests += tests/support/test_check
valgrind_tests += tests/support/test_check
if !HARNESS_PLAIN
unit_tests += tests/support/test_nanomsg
tests_support_test_nanomsg_LDADD = $(HARNESS_FIRST) $(HARNESS_NNG) tests/support/libtrtest.la $(HARNESS_LIBS)
endif
