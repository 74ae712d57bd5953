# libtroupe_la_SOURCES += lib/actor/x.c lib/actor/x.h
