# libtroupe_la_SOURCES += lib/chan/x.c lib/chan/x.h
