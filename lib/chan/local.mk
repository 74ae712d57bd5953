libtroupe_la_SOURCES += \
    lib/chan/completer.c \
    lib/chan/move.h \
    lib/chan/mpsc.c \
    lib/chan/mpsc.h \
    lib/chan/mpsc_block.c \
    lib/chan/mpsc_rx.c \
    lib/chan/mpsc_tx.c \
    lib/chan/oneshot.c \
    lib/chan/snapshot.h \
    lib/chan/watch.c
