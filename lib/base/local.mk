libtroupe_la_SOURCES += \
    lib/base/backend.h \
    lib/base/clock.c lib/base/clock.h \
    lib/base/list.h lib/base/rand.h \
    lib/base/wheel.c lib/base/wheel.h
