libtroupe_la_SOURCES += \
    lib/sync/barrier.c \
    lib/sync/crowd.h \
    lib/sync/mutex.c \
    lib/sync/notify.c lib/sync/notify.h \
    lib/sync/once.c \
    lib/sync/owner.c lib/sync/owner.h \
    lib/sync/permits.c lib/sync/permits.h \
    lib/sync/rwlock.c \
    lib/sync/semaphore.c \
    lib/sync/tracker.c
