# A program:  bench_programs += bench/x
#             bench_x_LDADD = $(LDADD_BENCH)
# Built and run by make bench only; BENCH_ARGS are its arguments.
bench_programs =
LDADD_BENCH = libtroupe.la

EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)

bench: $(bench_programs)
	@set -e; for p in $(bench_programs); do ./$$p $(BENCH_ARGS); done
.PHONY: bench
