/* SPDX-License-Identifier: MIT */
/*
 * address.h - the texts that name an end point:
 *
 *     127.0.0.1:7878   [::1]:7878   [fe80::1%eth0]:7878   name:7878   name:http   :7878
 */
#ifndef TRI_IO_ADDRESS_H
#define TRI_IO_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum { TRI_ADDRESS_MAX = 16, TRI_HOST_BYTES = 256 };

struct tri_address {
    struct sockaddr_storage at;
    socklen_t len;
};

/* The addresses of one text, in the order in which they are to be tried. */
struct tri_addresses {
    unsigned n;
    struct tri_address list[TRI_ADDRESS_MAX];
};

/* What a text says before any name is looked up; port in network order. */
struct tri_address_text {
    char host[TRI_HOST_BYTES]; /* without brackets; "": none was given */
    unsigned short port;
};

/* Takes @text apart. Returns 0, or -EINVAL: it is no address, or the service is unknown. */
int tri_address_parse(const char *text, struct tri_address_text *ret_parts);

/*
 * The addresses that need no look-up: of a number, of "localhost", and of no host at all, which
 * is every interface if @passive, else this machine.
 * Returns: 0.  -EINVAL: the host looks like a number and is none.  -EAGAIN: it is a name.
 */
int tri_address_local(const struct tri_address_text *parts, bool passive,
                      struct tri_addresses *ret_list);

/*
 * Asks the system's resolver; may take long.
 * Returns: 0.  -EADDRNOTAVAIL: no such name, or it has no address.  -EHOSTUNREACH: the name
 * servers do not answer.  -ENOMEM, -EMFILE ...
 */
int tri_address_resolve(const struct tri_address_text *parts, struct tri_addresses *ret_list);

#endif /* TRI_IO_ADDRESS_H */
