# A program:  examples += examples/x
#             examples_x_LDADD = $(LDADD_EXAMPLE)
#             examples_x_CFLAGS = $(CFLAGS_EXAMPLE)
# Its check:  example_checks += examples/check-x.sh     TAP, or just an exit status; mode 755
examples =
example_checks =

LDADD_EXAMPLE = libtroupe.la
CFLAGS_EXAMPLE = $(AM_CFLAGS) $(TR_LIB_CFLAGS)

examples += examples/trmillion
examples_trmillion_LDADD = $(LDADD_EXAMPLE)
examples_trmillion_CFLAGS = $(CFLAGS_EXAMPLE)
example_checks += examples/check-trmillion.sh

EXTRA_DIST += $(example_checks)
if EXAMPLES
noinst_PROGRAMS += $(examples)
TESTS += $(example_checks)
endif
