# libtroupe_la_SOURCES += lib/mem/x.c lib/mem/x.h
