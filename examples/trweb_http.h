/* SPDX-License-Identifier: MIT */
/* trweb_http.h - the requests of one connection, and their answers. */
#ifndef TRWEB_HTTP_H
#define TRWEB_HTTP_H

#include <troupe/sock.h>

struct http_opts {
    tr_time slow;        /* span that GET /sleep takes */
    tr_time idle_limit;  /* span a connection may lie still between two requests */
    tr_time head_limit;  /* span from the first byte of a request to the end of its head */
    tr_time write_limit; /* span an answer may wait for a client that does not read */
};

/*
 * Answers requests until the client leaves, asks for the end, is too slow or talks nonsense, or
 * until the scope drains: an idle connection ends at once, a request that has begun gets its
 * answer. The caller closes *@s, best with tr_sock_finish().
 * Returns:  0: ended, whatever the client did.  -ECANCELED, or what the stream said.
 * Callers:  tasks.
 */
int http_serve(tr_sock *s, const struct http_opts *opts);

/* The async-book's server to the letter: one read of at most 1024 bytes, one bare answer. */
int http_serve_book(tr_sock *s, const struct http_opts *opts);

#endif /* TRWEB_HTTP_H */
