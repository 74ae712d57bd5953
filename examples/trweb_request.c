/* SPDX-License-Identifier: MIT */
/*
 * trweb_request.c - reads the head of a request from memory, any bytes whatever:
 *
 *     GET /sleep HTTP/1.1\r\n     method, target, version
 *     Name: value\r\n ...         those about the connection and the body count
 *     \r\n
 */
#include <string.h>
#include <strings.h>

#include "trweb_request.h"

/* A part of the head. */
struct text {
    const char *at;
    size_t n;
};

static bool text_is(struct text t, const char *word)
{
    return t.n == strlen(word) && memcmp(t.at, word, t.n) == 0;
}

static bool text_is_nocase(struct text t, const char *word)
{
    return t.n == strlen(word) && strncasecmp(t.at, word, t.n) == 0;
}

/* Where @word begins in @t; t.n if it does not occur. */
static size_t text_find(struct text t, const char *word)
{
    size_t n_word = strlen(word);
    const char *at = t.at;

    while ((at = memchr(at, word[0], t.n - (size_t)(at - t.at))) != NULL) {
        size_t n = (size_t)(at - t.at);

        if (t.n - n >= n_word && memcmp(at, word, n_word) == 0)
            return n;
        at++;
    }
    return t.n;
}

/* Cuts what precedes @end off the front of *@rest, and @end too; all if @end does not occur. */
static struct text text_cut(struct text *rest, const char *end)
{
    struct text front = { rest->at, text_find(*rest, end) };
    size_t n = front.n < rest->n ? front.n + strlen(end) : front.n;

    *rest = (struct text){ rest->at + n, rest->n - n };
    return front;
}

static struct text text_trim(struct text t)
{
    for (; t.n > 0 && (*t.at == ' ' || *t.at == '\t'); t.n--)
        t.at++;
    while (t.n > 0 && (t.at[t.n - 1] == ' ' || t.at[t.n - 1] == '\t'))
        t.n--;
    return t;
}

/* "close" is in "keep-alive, close". */
static bool list_has(struct text list, const char *word)
{
    while (list.n > 0)
        if (text_is_nocase(text_trim(text_cut(&list, ",")), word))
            return true;
    return false;
}

static void bad(struct request *q)
{
    q->status = STATUS_BAD_REQUEST;
    q->is_last = true;
}

static void request_line(struct request *q, struct text line)
{
    struct text method = text_cut(&line, " "), target = text_cut(&line, " ");

    if (method.n == 0 || target.n == 0 || line.n != 8 || memcmp(line.at, "HTTP/1.", 7) != 0) {
        bad(q);
        return;
    }
    q->is_head = text_is(method, "HEAD");
    q->is_last = line.at[7] == '0';
    q->is_slow = text_is(target, "/sleep");
    if (!text_is(method, "GET") || !(q->is_slow || text_is(target, "/")))
        q->status = STATUS_NOT_FOUND;
}

static void header_line(struct request *q, struct text line)
{
    struct text name = text_cut(&line, ":"), value = text_trim(line);

    if (name.n == 0 || line.at == name.at + name.n) /* no colon */
        bad(q);
    else if (text_is_nocase(name, "connection"))
        q->is_last |= list_has(value, "close");
    else if (text_is_nocase(name, "content-length"))
        q->is_last |= !text_is(value, "0");
    else if (text_is_nocase(name, "transfer-encoding"))
        q->is_last = true;
}

size_t request_head(const char *bytes, size_t n)
{
    size_t before = text_find((struct text){ bytes, n }, "\r\n\r\n");

    return before < n ? before + 4 : 0;
}

struct request request_parse(const char *head, size_t n)
{
    struct request q = { .status = STATUS_OK };
    struct text rest = { head, n };

    if (memchr(head, '\0', n))
        bad(&q);
    else
        request_line(&q, text_cut(&rest, "\r\n"));
    while (q.status != STATUS_BAD_REQUEST && rest.n > 2)
        header_line(&q, text_cut(&rest, "\r\n"));
    if (q.status != STATUS_OK)
        q.is_slow = false;
    return q;
}
