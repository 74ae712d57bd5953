libtroupe_la_SOURCES += \
    lib/base/assert.h \
    lib/base/backend.h \
    lib/base/clock.c lib/base/clock.h \
    lib/base/error.c \
    lib/base/futex.c lib/base/futex.h \
    lib/base/list.h \
    lib/base/lock.h \
    lib/base/log.c lib/base/log.h \
    lib/base/place.c lib/base/place.h \
    lib/base/rand.h \
    lib/base/membarrier.c lib/base/membarrier.h \
    lib/base/relax.h \
    lib/base/rcu.c lib/base/rcu.h \
    lib/base/version.c \
    lib/base/wheel.c lib/base/wheel.h
