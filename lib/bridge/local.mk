# libtroupe_la_SOURCES += lib/bridge/x.c lib/bridge/x.h
