# The public headers, one to a line; they are installed, and each is compiled alone by make check.
include_HEADERS =
troupedir = $(includedir)/troupe
troupe_HEADERS =
troupe_HEADERS += include/troupe/time.h
troupe_HEADERS += include/troupe/types.h
troupe_HEADERS += include/troupe/version.h
