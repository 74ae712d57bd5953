libtroupe_la_SOURCES += lib/combine/interval.c
libtroupe_la_SOURCES += lib/combine/select.c
