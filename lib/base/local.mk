libtroupe_la_SOURCES += lib/base/version.c
