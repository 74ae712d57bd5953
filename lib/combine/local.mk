libtroupe_la_SOURCES += lib/combine/select.c
