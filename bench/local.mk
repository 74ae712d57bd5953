# A program:  bench_programs += bench/x
#             bench_x_LDADD = $(LDADD_BENCH)
# Built and run by make bench only; BENCH_ARGS are its arguments.
BENCH_ARGS = all
bench_programs =
LDADD_BENCH = libtroupe.la

bench_programs += bench/troupe-bench
bench_troupe_bench_LDADD = $(LDADD_BENCH)
bench_troupe_bench_CFLAGS = $(AM_CFLAGS) $(TR_LIB_CFLAGS)
bench_troupe_bench_SOURCES = \
    bench/ask.c \
    bench/bcast.c \
    bench/bench.h \
    bench/client.c \
    bench/cold.c \
    bench/echo.c \
    bench/handlers.c \
    bench/harness.c \
    bench/idle.c \
    bench/limits.c \
    bench/mpsc.c \
    bench/pingpong.c \
    bench/queues.c \
    bench/server.c \
    bench/sync.c \
    bench/tasks.c \
    bench/threads.c \
    bench/timers.c \
    bench/troupe-bench.c
EXTRA_DIST += bench/README.md bench/compare.sh bench/peers.sh bench/peers.txt

EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)

bench: $(bench_programs)
	@set -e; for p in $(bench_programs); do ./$$p $(BENCH_ARGS); done
.PHONY: bench
