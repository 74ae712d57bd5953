libtroupe_la_SOURCES += \
    lib/combine/deadline.c lib/combine/deadline.h \
    lib/combine/future.c \
    lib/combine/select.c \
    lib/combine/select_set.c
