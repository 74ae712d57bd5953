lib_LTLIBRARIES += libtroupe.la
libtroupe_la_SOURCES =
libtroupe_la_CFLAGS = $(AM_CFLAGS) $(TR_LIB_CFLAGS) $(TR_VISIBILITY_CFLAGS) $(LIBDW_CFLAGS)
libtroupe_la_LDFLAGS = -version-info $(TROUPE_LT_VERSION) -no-undefined \
    -Wl,-z,now -Wl,--as-needed -Wl,--version-script=$(top_srcdir)/lib/troupe.map
libtroupe_la_LIBADD = $(URCU_LIBS) $(LIBDW_LIBS) $(NNG_LIBS)
EXTRA_libtroupe_la_DEPENDENCIES = $(top_srcdir)/lib/troupe.map
EXTRA_DIST += lib/troupe.map

# The same objects without the version script: tests that look inside link this one.
check_LTLIBRARIES += libtroupe-internal.la
libtroupe_internal_la_SOURCES =
libtroupe_internal_la_DEPENDENCIES = $(libtroupe_la_OBJECTS)
libtroupe_internal_la_LIBADD = $(libtroupe_la_OBJECTS) $(libtroupe_la_LIBADD)

include $(top_srcdir)/lib/base/local.mk
include $(top_srcdir)/lib/mem/local.mk
include $(top_srcdir)/lib/sched/local.mk
include $(top_srcdir)/lib/reactor/local.mk
include $(top_srcdir)/lib/sync/local.mk
include $(top_srcdir)/lib/chan/local.mk
include $(top_srcdir)/lib/combine/local.mk
include $(top_srcdir)/lib/actor/local.mk
include $(top_srcdir)/lib/bridge/local.mk
include $(top_srcdir)/lib/io/local.mk
include $(top_srcdir)/lib/observe/local.mk
