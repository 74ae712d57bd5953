libtroupe_la_SOURCES += \
    lib/sched/actor.h \
    lib/sched/context.c lib/sched/context.h \
    lib/sched/cycle.c lib/sched/cycle.h \
    lib/sched/deque.c lib/sched/deque.h \
    lib/sched/gate.c lib/sched/gate.h \
    lib/sched/gate_pool.c \
    lib/sched/idle.c lib/sched/idle.h \
    lib/sched/inbox.h \
    lib/sched/local.c lib/sched/local.h \
    lib/sched/misuse.c lib/sched/misuse.h \
    lib/sched/ready.c \
    lib/sched/runq.h \
    lib/sched/runtime.h \
    lib/sched/scope.c lib/sched/scope.h lib/sched/scope_wait.c \
    lib/sched/steal.c lib/sched/steal.h \
    lib/sched/switch-aarch64.S lib/sched/switch-x86_64.S \
    lib/sched/task.c lib/sched/task.h lib/sched/task_handle.c lib/sched/task_self.c \
    lib/sched/thread.c \
    lib/sched/wait.c lib/sched/wait.h \
    lib/sched/waitq.h \
    lib/sched/wakee.h \
    lib/sched/worker.c lib/sched/worker.h
dist_pkgdata_DATA += tools/gdb/troupe-gdb.py
