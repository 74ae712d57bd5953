/* SPDX-License-Identifier: MIT */
/* address.c - see address.h. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "io/address.h"

enum { SERVICE_BYTES = 1024, V6_BYTES = 64 };

/* ---- the text ---- */

/* A port number, or -1. */
static int number_of(const char *service)
{
    char *end;
    unsigned long port;

    if (*service < '0' || *service > '9')
        return -1;
    port = strtoul(service, &end, 10);
    return *end == '\0' && port <= 65535 ? (int)port : -1;
}

/* From /etc/services. */
static int port_of(const char *service, unsigned short *ret_port)
{
    char space[SERVICE_BYTES];
    struct servent entry, *found = NULL;
    int port = number_of(service);

    if (port >= 0) {
        *ret_port = htons((unsigned short)port);
        return 0;
    }
    if (getservbyname_r(service, "tcp", &entry, space, sizeof space, &found) != 0 || !found)
        return -EINVAL;
    *ret_port = (unsigned short)found->s_port;
    return 0;
}

/* The host part without its brackets, and where it ends; NULL: it is none. */
static const char *host_of(const char *text, const char **ret_end)
{
    const char *end;

    if (*text == '[') {
        end = strchr(text, ']');
        *ret_end = end;
        return end && end > text + 1 && end[1] == ':' ? text + 1 : NULL;
    }
    end = strrchr(text, ':');
    *ret_end = end;
    return end && memchr(text, ':', (size_t)(end - text)) == NULL ? text : NULL;
}

int tri_address_parse(const char *text, struct tri_address_text *ret_parts)
{
    struct tri_address_text p;
    const char *end = NULL, *host = text ? host_of(text, &end) : NULL;
    size_t len;
    int r;

    if (!host)
        return -EINVAL;
    len = (size_t)(end - host);
    if (len >= sizeof p.host)
        return -EINVAL;
    memcpy(p.host, host, len);
    p.host[len] = '\0';
    if (*text == '[' && !strchr(p.host, ':'))
        return -EINVAL;
    r = port_of(end + 1 + (*end == ']'), &p.port);
    if (r == 0)
        *ret_parts = p;
    return r;
}

/* ---- addresses ---- */

static void add_v4(struct tri_addresses *l, struct in_addr at, unsigned short port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = port, .sin_addr = at };
    struct tri_address *to = &l->list[l->n++];

    memcpy(&to->at, &a, sizeof a);
    to->len = sizeof a;
}

static void add_v6(struct tri_addresses *l, struct in6_addr at, unsigned zone,
                   unsigned short port)
{
    struct sockaddr_in6 a = {
        .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = at, .sin6_scope_id = zone
    };
    struct tri_address *to = &l->list[l->n++];

    memcpy(&to->at, &a, sizeof a);
    to->len = sizeof a;
}

static int add_v6_text(struct tri_addresses *l, const char *host, unsigned short port)
{
    const char *zone = strchr(host, '%');
    size_t len = zone ? (size_t)(zone - host) : strlen(host);
    char text[V6_BYTES];
    struct in6_addr at;
    unsigned index = 0;

    if (len >= sizeof text)
        return -EINVAL;
    memcpy(text, host, len);
    text[len] = '\0';
    if (zone)
        index = if_nametoindex(zone + 1);
    if ((zone && index == 0) || inet_pton(AF_INET6, text, &at) != 1)
        return -EINVAL;
    add_v6(l, at, index, port);
    return 0;
}

/* Digits and dots only: meant as a number. */
static bool looks_numeric(const char *host)
{
    return host[strspn(host, "0123456789.")] == '\0';
}

int tri_address_local(const struct tri_address_text *parts, bool passive,
                      struct tri_addresses *ret_list)
{
    const struct in_addr any = { htonl(INADDR_ANY) }, lo = { htonl(INADDR_LOOPBACK) };
    bool is_here = strcmp(parts->host, "localhost") == 0;
    struct in_addr v4;

    ret_list->n = 0;
    if (parts->host[0] == '\0' && passive) { /* the first takes in the second, if there is v6 */
        add_v6(ret_list, in6addr_any, 0, parts->port);
        add_v4(ret_list, any, parts->port);
    } else if (parts->host[0] == '\0' || is_here) {
        add_v4(ret_list, lo, parts->port);
        add_v6(ret_list, in6addr_loopback, 0, parts->port);
    } else if (strchr(parts->host, ':')) {
        return add_v6_text(ret_list, parts->host, parts->port);
    } else if (inet_pton(AF_INET, parts->host, &v4) == 1) {
        add_v4(ret_list, v4, parts->port);
    } else {
        return looks_numeric(parts->host) ? -EINVAL : -EAGAIN;
    }
    return 0;
}

static int resolver_error(int e)
{
    switch (e) {
    case EAI_SYSTEM:
        return errno > 0 ? -errno : -EHOSTUNREACH;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_AGAIN:
    case EAI_FAIL:
        return -EHOSTUNREACH;
    default:
        return -EADDRNOTAVAIL;
    }
}

int tri_address_resolve(const struct tri_address_text *parts, struct tri_addresses *ret_list)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found, *i;
    int e = getaddrinfo(parts->host, NULL, &hints, &found);

    if (e != 0)
        return resolver_error(e);
    ret_list->n = 0;
    for (i = found; i && ret_list->n < TRI_ADDRESS_MAX; i = i->ai_next) {
        if (i->ai_family == AF_INET) {
            struct sockaddr_in a;

            memcpy(&a, i->ai_addr, sizeof a);
            add_v4(ret_list, a.sin_addr, parts->port);
        } else if (i->ai_family == AF_INET6) {
            struct sockaddr_in6 a;

            memcpy(&a, i->ai_addr, sizeof a);
            add_v6(ret_list, a.sin6_addr, a.sin6_scope_id, parts->port);
        }
    }
    freeaddrinfo(found);
    return ret_list->n > 0 ? 0 : -EADDRNOTAVAIL;
}
