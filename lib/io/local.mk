# libtroupe_la_SOURCES += lib/io/x.c lib/io/x.h
