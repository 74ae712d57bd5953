libtroupe_la_SOURCES += \
    lib/actor/conductor.c lib/actor/conductor.h \
    lib/actor/fork.c \
    lib/actor/handler.c lib/actor/handler.h \
    lib/actor/handler_record.c \
    lib/actor/handler_run.c \
    lib/actor/level_watch.c \
    lib/actor/main.c \
    lib/actor/quota.c lib/actor/quota.h \
    lib/actor/report.c lib/actor/report.h \
    lib/actor/runtime.c lib/actor/runtime.h \
    lib/actor/shutdown.c lib/actor/shutdown.h \
    lib/actor/signal.c lib/actor/signal.h \
    lib/actor/stall.c lib/actor/stall.h \
    lib/actor/stop.c \
    lib/actor/supervise.c \
    lib/actor/trace.c lib/actor/trace.h
