libtroupe_la_SOURCES += \
    lib/actor/handler.c \
    lib/actor/runtime.c lib/actor/runtime.h \
    lib/actor/supervise.c
