libtroupe_la_SOURCES += \
    lib/io/accept.c lib/io/accept.h lib/io/address.c lib/io/address.h lib/io/arm.c \
    lib/io/gate.c lib/io/gate.h lib/io/line.c lib/io/line.h lib/io/lookup.c lib/io/lookup.h \
    lib/io/read.c lib/io/serve.c lib/io/sock.c lib/io/sock.h lib/io/stream.c lib/io/stream.h \
    lib/io/tcp.c lib/io/write.c
