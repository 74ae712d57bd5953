# A test over the harness:  unit_tests += tests/chan/test_x          from tests/chan/test_x.c
#   it links the library with its inner symbols; for the public ones only:
#                           tests_chan_test_x_LDADD = $(LDADD_BLACKBOX)
#   it cannot run under ThreadSanitizer (say why): unit_tests_no_tsan += in place of unit_tests +=
#   it is quick and belongs to the run under valgrind: valgrind_tests += tests/chan/test_x as well
# A stress program:         stress_tests += tests/stress/stress_x    with its own main; exit status
#                           tests_stress_stress_x_LDADD = $(LDADD_STRESS)    0, 1, or 77 to skip
# A script:                 script_tests += tests/io/x.sh            TAP or exit status; mode 755
unit_tests =
unit_tests_no_tsan =
stress_tests =
valgrind_tests =
script_tests =

include $(top_srcdir)/tests/base/local.mk
include $(top_srcdir)/tests/mem/local.mk
include $(top_srcdir)/tests/sched/local.mk
include $(top_srcdir)/tests/reactor/local.mk
include $(top_srcdir)/tests/sync/local.mk
include $(top_srcdir)/tests/chan/local.mk
include $(top_srcdir)/tests/combine/local.mk
include $(top_srcdir)/tests/actor/local.mk
include $(top_srcdir)/tests/bridge/local.mk
include $(top_srcdir)/tests/io/local.mk
include $(top_srcdir)/tests/observe/local.mk
include $(top_srcdir)/tests/every/local.mk
include $(top_srcdir)/tests/stress/local.mk
include $(top_srcdir)/tests/explore/local.mk
include $(top_srcdir)/tests/linear/local.mk
include $(top_srcdir)/tests/headers/local.mk
include $(top_srcdir)/tests/support/local.mk

check_PROGRAMS += $(unit_tests) $(unit_tests_no_tsan) $(stress_tests)
TESTS += $(unit_tests) $(stress_tests) $(script_tests)
if !SANITIZE_THREAD
TESTS += $(unit_tests_no_tsan)
endif

script_tests += tools/check-source.sh tools/check-layers.sh tools/check-exports.sh tools/check-headers.sh
EXTRA_DIST += $(script_tests) tests/tsan.supp

# --- how they are linked
AM_CPPFLAGS += -I$(top_srcdir)/tests
if HARNESS_PLAIN
AM_CPPFLAGS += -DTR_TEST_PLAIN
endif
LDADD = $(HARNESS_FIRST) tests/support/libtrtest.la libtroupe-internal.la $(HARNESS_LIBS)
LDADD_BLACKBOX = $(HARNESS_FIRST) tests/support/libtrtest.la libtroupe.la $(HARNESS_LIBS)
LDADD_STRESS = tests/support/libtrtest.la libtroupe-internal.la

# --- how they are run
TEST_EXTENSIONS = .sh
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP_DRIVER)
SH_LOG_DRIVER = $(TAP_DRIVER)
AM_LOG_DRIVER_FLAGS = --merge --comments
AM_SH_LOG_DRIVER_FLAGS = --merge --comments
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/support/tap-run
SH_LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/support/tap-run
EXTRA_DIST += tests/support/tap-run
# "yes" if no program is missing, as in make check TESTS=...
TR_COMPLETE = $(if $(filter-out $(TEST_LOGS),$(addsuffix .log,$(unit_tests) $(stress_tests))),,yes)
AM_TESTS_ENVIRONMENT = \
    top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; export top_srcdir top_builddir; \
    TR_HARNESS='$(TR_HARNESS)'; TR_SANITIZER='$(TR_SANITIZER)'; export TR_HARNESS TR_SANITIZER; \
    TR_HEADERS='$(include_HEADERS) $(troupe_HEADERS)'; export TR_HEADERS; \
    TR_TEST_LOGS='$(TEST_LOGS)'; TR_COMPLETE='$(TR_COMPLETE)'; export TR_TEST_LOGS TR_COMPLETE; \
    VALGRIND='$(VALGRIND)'; export VALGRIND; \
    ASAN_OPTIONS=detect_stack_use_after_return=1:$${ASAN_OPTIONS}; export ASAN_OPTIONS; \
    UBSAN_OPTIONS=print_stacktrace=1:$${UBSAN_OPTIONS}; export UBSAN_OPTIONS; \
    TSAN_OPTIONS=atexit_sleep_ms=0:suppressions=$(abs_top_srcdir)/tests/tsan.supp:$${TSAN_OPTIONS}; export TSAN_OPTIONS;

# The quick subset under memcheck; wants --with-harness=plain, where a test is a forked child.
VALGRIND_RUN = $(VALGRIND) --quiet --error-exitcode=99 --leak-check=no --fair-sched=yes
if HARNESS_PLAIN
check-valgrind: $(check_LTLIBRARIES) $(valgrind_tests)
	$(AM_V_at)test -n '$(VALGRIND)' || { echo 'check-valgrind: valgrind was not found by configure' >&2; exit 1; }
	$(AM_V_at)rm -f $(valgrind_tests:=.log) $(valgrind_tests:=.trs)
	$(AM_V_at)TR_RUN_UNDER='$(VALGRIND_RUN)' $(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(valgrind_tests)'
else
check-valgrind:
	@echo 'check-valgrind: configure with --with-harness=plain' >&2; exit 1
endif
.PHONY: check-valgrind

# A build for another processor, run by an emulator: EMULATOR=qemu-aarch64. Left out is what looks at
# the host's side of a process (pages, the death of a process), at the time, and what takes hours there.
EMULATED_NOT = tests/mem/test_fault tests/mem/test_stack tests/sched/test_placement tests/actor/% tests/explore/%
check-emulated: $(check_LTLIBRARIES) $(valgrind_tests) $(stress_tests)
	$(AM_V_at)test -n '$(EMULATOR)' || { echo 'check-emulated: EMULATOR is not set' >&2; exit 1; }
	$(AM_V_at)rm -f $(valgrind_tests:=.log) $(valgrind_tests:=.trs) $(stress_tests:=.log) $(stress_tests:=.trs)
	$(AM_V_at)TR_RUN_UNDER='$(EMULATOR)' $(MAKE) $(AM_MAKEFLAGS) check-TESTS \
	    TESTS='$(filter-out $(EMULATED_NOT),$(valgrind_tests) $(stress_tests))'
.PHONY: check-emulated
