libtroupe_la_SOURCES += \
    lib/chan/completer.c \
    lib/chan/broadcast.c \
    lib/chan/broadcast.h \
    lib/chan/broadcast_copy.c \
    lib/chan/broadcast_park.c \
    lib/chan/broadcast_rx.c \
    lib/chan/broadcast_tx.c \
    lib/chan/ask.c \
    lib/chan/move.h \
    lib/chan/mpsc.c \
    lib/chan/mpsc.h \
    lib/chan/mpsc_block.c \
    lib/chan/mpsc_end.c \
    lib/chan/mpsc_line.c \
    lib/chan/mpsc_line.h \
    lib/chan/mpsc_locked.c \
    lib/chan/mpsc_permit.c \
    lib/chan/mpsc_rx.c \
    lib/chan/mpsc_tx.c \
    lib/chan/mpsc_urgent.c \
    lib/chan/oneshot.c \
    lib/chan/snapshot.h \
    lib/chan/watch.c \
    lib/chan/watch.h \
    lib/chan/watch_wait.c
