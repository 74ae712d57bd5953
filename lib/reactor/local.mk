libtroupe_la_SOURCES += \
    lib/reactor/epoll.c \
    lib/reactor/epoll.h \
    lib/reactor/syscalls.c
