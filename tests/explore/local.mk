# The explorer: some programs with cases of their own. The sources of the library are compiled once
# more for it, in a way of their own, whatever the build's sanitizer: docs/design/exploration.md.
explore_tests = \
    tests/explore/explore_broadcast \
    tests/explore/explore_channels \
    tests/explore/explore_combine \
    tests/explore/explore_handlers \
    tests/explore/explore_queues \
    tests/explore/explore_sync \
    tests/explore/explore_system \
    tests/explore/explore_tasks
stress_tests += $(explore_tests)
tests_explore_explore_broadcast_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_explore_broadcast_LDADD = tests/explore/libexplored.la
tests_explore_explore_channels_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_explore_channels_LDADD = tests/explore/libexplored.la
tests_explore_explore_combine_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_explore_combine_LDADD = tests/explore/libexplored.la
tests_explore_explore_handlers_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_explore_handlers_LDADD = tests/explore/libexplored.la
tests_explore_explore_queues_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_explore_queues_LDADD = tests/explore/libexplored.la
tests_explore_explore_sync_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_explore_sync_LDADD = tests/explore/libexplored.la
tests_explore_explore_system_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_explore_system_LDADD = tests/explore/libexplored.la
tests_explore_explore_tasks_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_explore_tasks_LDADD = tests/explore/libexplored.la
EXPLORE_CFLAGS = -pthread $(TR_CFLAGS)

check_LTLIBRARIES += tests/explore/libengine.la
tests_explore_libengine_la_SOURCES = \
    tests/explore/engine.h tests/explore/explore.h \
    tests/explore/kernel.c \
    tests/explore/memory.c \
    tests/explore/search.c \
    tests/explore/steps.c \
    tests/explore/threads.c \
    lib/sched/context.c lib/sched/switch-aarch64.S lib/sched/switch-x86_64.S
tests_explore_libengine_la_CFLAGS = $(EXPLORE_CFLAGS)
tests_explore_libengine_la_CCASFLAGS = $(AM_CCASFLAGS)

check_LTLIBRARIES += tests/explore/libexplored.la
tests_explore_libexplored_la_SOURCES = \
    tests/explore/broadcast.h tests/explore/force.h tests/explore/ledger.h tests/explore/mpsc.h \
    tests/explore/absent.c \
    tests/explore/case_cycle.c \
    tests/explore/case_ask_arm.c \
    tests/explore/case_broadcast.c \
    tests/explore/case_broadcast_copy.c \
    tests/explore/case_broadcast_wait.c \
    tests/explore/case_ask.c \
    tests/explore/case_deque.c \
    tests/explore/case_fd.c \
    tests/explore/case_future.c \
    tests/explore/case_handler.c \
    tests/explore/case_idle.c \
    tests/explore/case_inbox.c \
    tests/explore/case_level.c \
    tests/explore/case_lock.c \
    tests/explore/case_mpsc.c \
    tests/explore/case_mpsc_more.c \
    tests/explore/case_mpsc_room.c \
    tests/explore/case_mpsc_wait.c \
    tests/explore/case_notify.c \
    tests/explore/case_oneshot.c \
    tests/explore/case_park.c \
    tests/explore/case_permits.c \
    tests/explore/case_scope.c \
    tests/explore/case_set.c \
    tests/explore/case_task.c \
    tests/explore/case_watch.c \
    tests/explore/world.c tests/explore/world.h \
    lib/actor/handler.c lib/actor/handler_record.c lib/actor/handler_run.c \
    lib/actor/handler.c \
    lib/actor/level_watch.c \
    lib/actor/shutdown.c \
    lib/base/futex.c \
    lib/base/membarrier.c \
    lib/base/wheel.c \
    lib/chan/ask.c \
    lib/chan/broadcast.c \
    lib/chan/broadcast_copy.c \
    lib/chan/broadcast_park.c \
    lib/chan/broadcast_rx.c \
    lib/chan/broadcast_tx.c \
    lib/chan/completer.c \
    lib/chan/ask_arm.c \
    lib/chan/mpsc.c \
    lib/chan/mpsc_block.c \
    lib/chan/mpsc_end.c \
    lib/chan/mpsc_line.c \
    lib/chan/mpsc_locked.c \
    lib/chan/mpsc_permit.c \
    lib/chan/mpsc_rx.c \
    lib/chan/mpsc_tx.c \
    lib/chan/mpsc_urgent.c \
    lib/chan/oneshot.c \
    lib/chan/published.c \
    lib/chan/watch.c \
    lib/chan/watch_wait.c \
    lib/combine/deadline.c \
    lib/combine/delayq.c \
    lib/combine/future.c \
    lib/combine/select.c \
    lib/combine/select_set.c \
    lib/sched/cycle.c \
    lib/io/gate.c \
    lib/reactor/readiness.c \
    lib/sched/deque.c \
    lib/sched/gate.c \
    lib/sched/idle.c \
    lib/sched/local.c \
    lib/sched/ready.c \
    lib/sched/scope.c \
    lib/sched/scope_wait.c \
    lib/sched/steal.c \
    lib/sched/task.c \
    lib/sched/task_handle.c \
    lib/sched/task_self.c \
    lib/sched/thread.c \
    lib/sched/wait.c \
    lib/sched/worker.c \
    lib/sync/barrier.c \
    lib/sync/mutex.c \
    lib/sync/notify.c \
    lib/sync/once.c \
    lib/sync/permits.c \
    lib/sync/rwlock.c \
    lib/sync/semaphore.c
# The sanitizer's calls without the sanitizer: steps.c has them.
tests_explore_libexplored_la_LIBADD = tests/explore/libengine.la
tests_explore_libexplored_la_CFLAGS = $(EXPLORE_CFLAGS) -fsanitize=thread \
    -include $(top_srcdir)/tests/explore/force.h
