libtroupe_la_SOURCES += \
    lib/mem/alloc.c lib/mem/alloc.h \
    lib/mem/fault.c lib/mem/fault.h \
    lib/mem/guard.c lib/mem/guard.h \
    lib/mem/idset.h \
    lib/mem/san.h \
    lib/mem/slab.c lib/mem/slab.h \
    lib/mem/stack.c lib/mem/stack.h
