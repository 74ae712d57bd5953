# libtroupe_la_SOURCES += lib/sync/x.c lib/sync/x.h
