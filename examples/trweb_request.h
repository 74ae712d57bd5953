/* SPDX-License-Identifier: MIT */
/* trweb_request.h - what the head of an HTTP request asks for. */
#ifndef TRWEB_REQUEST_H
#define TRWEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum status {
    STATUS_OK,
    STATUS_BAD_REQUEST,
    STATUS_NOT_FOUND,
    STATUS_TIMEOUT,
    STATUS_URI_TOO_LONG,
    STATUS_HEAD_TOO_LARGE,
};

struct request {
    enum status status; /* of the answer */
    bool is_head;       /* the answer has no body */
    bool is_slow;       /* the answer takes its time */
    bool is_last;       /* nothing is read after it: so the client wants, or it sends a body */
};

/* The length of the head at the start of @bytes, its empty line included; 0: not all there. */
size_t request_head(const char *bytes, size_t n);

/* Reads a whole head of @n bytes. What is no HTTP/1.x at all gives STATUS_BAD_REQUEST. */
struct request request_parse(const char *head, size_t n);

#endif /* TRWEB_REQUEST_H */
