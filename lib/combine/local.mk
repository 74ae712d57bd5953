libtroupe_la_SOURCES += lib/combine/deadline.c lib/combine/deadline.h
libtroupe_la_SOURCES += lib/combine/delayq.c
libtroupe_la_SOURCES += lib/combine/future.c
libtroupe_la_SOURCES += lib/combine/group.c
libtroupe_la_SOURCES += lib/combine/interval.c
libtroupe_la_SOURCES += lib/combine/select.c
libtroupe_la_SOURCES += lib/combine/select_set.c
