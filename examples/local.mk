# A program:  examples += examples/x
#             examples_x_LDADD = $(LDADD_EXAMPLE)
#             examples_x_CFLAGS = $(CFLAGS_EXAMPLE)
# Its check:  example_checks += examples/check-x.sh     TAP, or just an exit status; mode 755
examples =
example_checks =

LDADD_EXAMPLE = libtroupe.la
CFLAGS_EXAMPLE = $(AM_CFLAGS) $(TR_LIB_CFLAGS)

# --- daemons
examples += examples/echod
examples_echod_LDADD = $(LDADD_EXAMPLE)
examples_echod_CFLAGS = $(CFLAGS_EXAMPLE)
example_checks += examples/check-echod.sh

trweb_http = \
    examples/trweb_http.c \
    examples/trweb_http.h \
    examples/trweb_pages.h \
    examples/trweb_request.c \
    examples/trweb_request.h
examples += examples/trweb
examples_trweb_SOURCES = \
    $(trweb_http) \
    examples/common/service.c \
    examples/common/service.h \
    examples/trweb.c
examples_trweb_LDADD = $(LDADD_EXAMPLE)
examples_trweb_CFLAGS = $(CFLAGS_EXAMPLE)
example_checks += examples/check-trweb.sh

unit_tests += tests/io/test_trweb
valgrind_tests += tests/io/test_trweb
tests_io_test_trweb_SOURCES = tests/io/test_trweb.c $(trweb_http) \
    tests/support/mock-stream.c tests/support/mock-stream.h

# --- one concept each
examples += examples/ask-reply
examples_ask_reply_LDADD = $(LDADD_EXAMPLE)
examples_ask_reply_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-broadcast
examples_hello_broadcast_LDADD = $(LDADD_EXAMPLE)
examples_hello_broadcast_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-delayq
examples_hello_delayq_LDADD = $(LDADD_EXAMPLE)
examples_hello_delayq_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-group
examples_hello_group_LDADD = $(LDADD_EXAMPLE)
examples_hello_group_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-handler
examples_hello_handler_LDADD = $(LDADD_EXAMPLE)
examples_hello_handler_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-interval
examples_hello_interval_LDADD = $(LDADD_EXAMPLE)
examples_hello_interval_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-mpsc
examples_hello_mpsc_LDADD = $(LDADD_EXAMPLE)
examples_hello_mpsc_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-oneshot
examples_hello_oneshot_LDADD = $(LDADD_EXAMPLE)
examples_hello_oneshot_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/timer-future
examples_timer_future_LDADD = $(LDADD_EXAMPLE)
examples_timer_future_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-scope
examples_hello_scope_LDADD = $(LDADD_EXAMPLE)
examples_hello_scope_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-select
examples_hello_select_LDADD = $(LDADD_EXAMPLE)
examples_hello_select_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-sync
examples_hello_sync_LDADD = $(LDADD_EXAMPLE)
examples_hello_sync_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-thread
examples_hello_thread_LDADD = $(LDADD_EXAMPLE)
examples_hello_thread_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-tracker
examples_hello_tracker_LDADD = $(LDADD_EXAMPLE)
examples_hello_tracker_CFLAGS = $(CFLAGS_EXAMPLE)
examples += examples/hello-watch
examples_hello_watch_LDADD = $(LDADD_EXAMPLE)
examples_hello_watch_CFLAGS = $(CFLAGS_EXAMPLE)
example_checks += examples/check-hello.sh

# --- what the checks use
check_PROGRAMS += tests/support/netclient tests/support/echoload tests/support/handover
tests_support_netclient_LDADD =
tests_support_echoload_LDADD =
tests_support_handover_LDADD =

examples += examples/trmillion
examples_trmillion_LDADD = $(LDADD_EXAMPLE)
examples_trmillion_CFLAGS = $(CFLAGS_EXAMPLE)
example_checks += examples/check-trmillion.sh
# These two measure times on all cores: alone, after all the others.
balance_log = tests/io/test_balance.log
million_log = examples/check-trmillion.log
semantics_log = docs/design/check-semantics.log
$(balance_log): $(filter-out $(balance_log) $(million_log) $(semantics_log),$(TEST_LOGS))
$(million_log): $(filter-out $(million_log) $(semantics_log),$(TEST_LOGS))
# This one reads what the others have written.
$(semantics_log): $(filter-out $(semantics_log),$(TEST_LOGS))

examples += examples/trasync
examples_trasync_LDADD = $(LDADD_EXAMPLE)
examples_trasync_CFLAGS = $(CFLAGS_EXAMPLE)
example_checks += examples/check-trasync.sh

EXTRA_DIST += $(example_checks) examples/support/check.sh examples/README.md
if EXAMPLES
noinst_PROGRAMS += $(examples)
TESTS += $(example_checks)
endif
