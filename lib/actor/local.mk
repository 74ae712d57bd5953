libtroupe_la_SOURCES += \
    lib/actor/runtime.c lib/actor/runtime.h
