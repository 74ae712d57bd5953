# libtroupe_la_SOURCES += lib/sched/x.c lib/sched/x.h
