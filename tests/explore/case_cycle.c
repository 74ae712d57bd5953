/* SPDX-License-Identifier: MIT */
/*
 * case_cycle.c - sched/cycle.h: no circle of askers goes unseen, and none is seen that is none.
 */
#include "config.h"

#include "explore/explore.h"
#include "mem/alloc.h"
#include "sched/cycle.h"

enum { N = EXPLORE_THREADS };

struct ring {
    struct tri_gate gate[N];
    struct tri_served *served[N]; /* the channel of number i, who answers there */
    struct tri_wakee wakee;      /* awake: waking it is nothing */
    bool refused[N];
    long answer;
    uint64_t serial; /* of the first one's question */
};

static struct ring *ring;

/* Nobody has promised anything. */
static void setup_plain(void)
{
    ring = tri_mem_alloc(sizeof *ring);
    atomic_init(&ring->wakee.kind, TRI_KIND_THREAD);
    atomic_init(&ring->wakee.word, TRI_READY);
    for (unsigned i = 0; i < N; i++) {
        atomic_init(&ring->gate[i].wakee, &ring->wakee);
        ring->served[i] = tri_mem_alloc(sizeof *ring->served[i]);
    }
}

static void setup(void)
{
    setup_plain();
    for (unsigned i = 0; i < N; i++)
        tri_served_by(ring->served[i], &ring->gate[i]);
}

static void free_all(void)
{
    for (unsigned i = 0; i < N; i++)
        free(ring->served[i]);
    free(ring);
}

/* Number @i asks number @whom. */
static uint64_t ask(unsigned i, unsigned whom)
{
    char text[TRI_CYCLE_TEXT];
    uint64_t serial = tri_gate_open(&ring->gate[i], &ring->answer);

    ring->refused[i] = tri_cycle_begin(&ring->gate[i], ring->served[whom]) &&
                       tri_cycle_is_closed(&ring->gate[i], text);
    if (ring->refused[i])
        tri_cycle_leave(&ring->gate[i]);
    return serial;
}

static void end_ask(unsigned i)
{
    tri_cycle_leave(&ring->gate[i]);
    (void)tri_gate_shut(&ring->gate[i]);
}

/* ---- each asks the next one ---- */

static void ask_next_of_2(void)
{
    ask(explore_self(), 1 - explore_self());
}

static void ask_next_of_3(void)
{
    ask(explore_self(), (explore_self() + 1) % N);
}

static void promise_and_ask_next_of_2(void)
{
    tri_served_by(ring->served[explore_self()], &ring->gate[explore_self()]);
    ask_next_of_2();
}

static void finish_circle(void)
{
    check(ring->refused[0] || ring->refused[1] || ring->refused[2]);
    free_all();
}

/* ---- the first waits for the second, who answers before it asks the third ---- */

static void setup_answered(void)
{
    setup();
    ring->serial = ask(0, 1);
}

static void answer_and_ask(void)
{
    check(tri_gate_enter(&ring->gate[0], ring->serial) != NULL);
    tri_gate_leave(&ring->gate[0], ring->serial);
    ask(1, 2);
}

static void ask_first(void)
{
    ask(2, 0);
}

static void finish_chain(void)
{
    check(!ring->refused[1] && !ring->refused[2]);
    free_all();
}

/* The first has its answer, or gives up, and ends. */
static void end_first(void)
{
    end_ask(0);
    tri_cycle_retire(&ring->gate[0]);
}

static void give_way_and_ask(void)
{
    if (tri_gate_enter(&ring->gate[0], ring->serial))
        tri_gate_leave(&ring->gate[0], ring->serial);
    ask(1, 2);
}

/* ---- broken ---- */

static void unpublished(struct explore_op *op)
{
    for (unsigned i = 0; i < N; i++)
        if (op->addr == &ring->gate[i].edge.turn)
            op->writes = false;
}

static void answered_still_waits(struct explore_op *op)
{
    if (explore_is(op, "tri_gate_look", EXPLORE_LOAD) &&
        (op->old & TRI_GATE_MASK) == TRI_GATE_ANSWERED)
        op->old = (op->old & ~(uint64_t)TRI_GATE_MASK) | TRI_GATE_OPEN;
}

static const struct explore_broken unseen[] = {
    { "nobody says that he waits", unpublished },
    { 0 },
};

static const struct explore_broken seen[] = {
    { "who has his answer still waits", answered_still_waits },
    { 0 },
};

const struct explore_case explore_cycle_cases[] = {
    { "two ask each other", setup, { ask_next_of_2, ask_next_of_2 }, finish_circle, EXPLORE_ALL,
      EXPLORE_ALL, unseen },
    { "two promise and ask each other", setup_plain,
      { promise_and_ask_next_of_2, promise_and_ask_next_of_2 }, finish_circle, EXPLORE_ALL,
      EXPLORE_ALL, unseen },
    { "three ask in a circle", setup, { ask_next_of_3, ask_next_of_3, ask_next_of_3 },
      finish_circle, 2, 3, unseen },
    { "one answers and asks", setup_answered, { answer_and_ask, ask_first }, finish_chain,
      EXPLORE_ALL, EXPLORE_ALL, seen },
    { "one gives up and ends meanwhile", setup_answered,
      { give_way_and_ask, ask_first, end_first }, finish_chain, 2, 3, NULL },
    { 0 },
};
