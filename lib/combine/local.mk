libtroupe_la_SOURCES += lib/combine/delayq.c
libtroupe_la_SOURCES += lib/combine/interval.c
libtroupe_la_SOURCES += lib/combine/select.c
