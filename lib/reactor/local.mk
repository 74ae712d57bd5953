# libtroupe_la_SOURCES += lib/reactor/x.c lib/reactor/x.h
