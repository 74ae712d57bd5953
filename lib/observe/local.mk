# libtroupe_la_SOURCES += lib/observe/x.c lib/observe/x.h
