# Both .S files are always built: each is empty on the other's processor.
libtroupe_la_SOURCES += \
    lib/sched/context.c lib/sched/context.h \
    lib/sched/switch-aarch64.S lib/sched/switch-x86_64.S
EXTRA_DIST += tools/gdb/troupe-gdb.py
