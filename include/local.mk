# The public headers, one to a line; they are installed, and each is compiled alone by make check.
include_HEADERS = include/troupe.h
troupedir = $(includedir)/troupe
troupe_HEADERS =
troupe_HEADERS += include/troupe/handler.h
troupe_HEADERS += include/troupe/mpsc.h
troupe_HEADERS += include/troupe/oneshot.h
troupe_HEADERS += include/troupe/runtime.h
troupe_HEADERS += include/troupe/scope.h
troupe_HEADERS += include/troupe/select.h
troupe_HEADERS += include/troupe/signal.h
troupe_HEADERS += include/troupe/sock.h
troupe_HEADERS += include/troupe/supervise.h
troupe_HEADERS += include/troupe/task.h
troupe_HEADERS += include/troupe/time.h
troupe_HEADERS += include/troupe/types.h
troupe_HEADERS += include/troupe/version.h
troupe_HEADERS += include/troupe/watch.h
