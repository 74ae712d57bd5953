# libtroupe_la_SOURCES += lib/combine/x.c lib/combine/x.h
