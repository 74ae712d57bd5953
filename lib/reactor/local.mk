libtroupe_la_SOURCES += \
    lib/reactor/readiness.c lib/reactor/readiness.h \
    lib/reactor/epoll.c lib/reactor/epoll.h lib/reactor/syscalls.c \
    lib/reactor/sim.c lib/reactor/sim.h lib/reactor/sim_world.h \
    lib/reactor/sim_file.c lib/reactor/sim_net.c lib/reactor/sim_stream.c
