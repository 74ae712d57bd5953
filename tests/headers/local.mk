# Sources that only have to compile, tests/headers/*.c: by gcc and clang as C11, by g++ as C++17,
# against the public headers alone. Where one holds "TR_BAD == 1", "TR_BAD == 2" ..., each of these
# must be refused. tools/check-headers.sh tries them all.
EXTRA_DIST += tests/headers/misuse.c tests/headers/use_ask.c tests/headers/use_broadcast.c
EXTRA_DIST += tests/headers/use_group.c
EXTRA_DIST += tests/headers/use_local.c
EXTRA_DIST += tests/headers/use_handler.c
EXTRA_DIST += tests/headers/use_mpsc.c tests/headers/use_version.c
EXTRA_DIST += tests/headers/use_oneshot.c tests/headers/use_watch.c
EXTRA_DIST += tests/headers/use_tracker.c
