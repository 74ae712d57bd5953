/* SPDX-License-Identifier: MIT */
/*
 * list.h - a ring of intrusive links: a head and its nodes, doubly linked.
 *
 * A node whose next is NULL is in no list; zeroed memory is such a node. A head is never NULL:
 * an empty one points to itself. No locks: a list has one owner at a time.
 */
#ifndef TRI_BASE_LIST_H
#define TRI_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct tri_list {
    struct tri_list *next, *prev;
};

/* The object of @type whose member @member is the node @node. */
#define tri_list_entry(node, type, member)                                                     \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void tri_list_init(struct tri_list *head)
{
    head->next = head->prev = head;
}

static inline bool tri_list_is_empty(const struct tri_list *head)
{
    return head->next == head;
}

/* Whether @node is in some list. Not for heads. */
static inline bool tri_list_is_linked(const struct tri_list *node)
{
    return node->next != NULL;
}

/* Inserts @node before @at: as the last one when @at is the head. */
static inline void tri_list_add_before(struct tri_list *at, struct tri_list *node)
{
    node->next = at;
    node->prev = at->prev;
    at->prev->next = node;
    at->prev = node;
}

static inline void tri_list_add_tail(struct tri_list *head, struct tri_list *node)
{
    tri_list_add_before(head, node);
}

static inline void tri_list_add_head(struct tri_list *head, struct tri_list *node)
{
    tri_list_add_before(head->next, node);
}

/* Takes a linked @node out of its list and marks it as being in none. */
static inline void tri_list_del(struct tri_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = NULL;
}

/* Takes the first node out, or returns NULL. */
static inline struct tri_list *tri_list_pop(struct tri_list *head)
{
    struct tri_list *node = head->next;

    if (node == head)
        return NULL;
    tri_list_del(node);
    return node;
}

/* Moves all nodes of @from behind those of @to, in their order; @from is empty afterwards. */
static inline void tri_list_splice_tail(struct tri_list *to, struct tri_list *from)
{
    if (tri_list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    tri_list_init(from);
}

#endif /* TRI_BASE_LIST_H */
