/* SPDX-License-Identifier: MIT */
/*
 * case_fd.c - reactor/readiness.c and io/gate.c: a task that tries, blocks and waits, against
 * the events of a kernel and a poller that are played by another thread; and acceptors that
 * wait for a close or for room.
 */
#include "config.h"

#include <errno.h>

#include "base/lock.h"
#include "explore/explore.h"
#include "explore/world.h"
#include "io/gate.h"
#include "mem/alloc.h"
#include "reactor/readiness.h"
#include "sched/wait.h"

/* ---- the kernel: one descriptor, from which messages are read; writing blocks n times ---- */

struct kernel {
    struct tri_fd fd;
    struct tri_lock lock; /* protects the rest */
    unsigned n_in, n_out; /* to be read; room to write */
    bool is_added, add_fails;
};

static struct kernel *kernel;

static int kernel_add(struct tri_poller *p, int fd, void *data)
{
    uint32_t events = 0;
    int r = 0;

    (void)p;
    (void)fd;
    tri_lock_acquire(&kernel->lock);
    if (kernel->add_fails)
        r = -ENOMEM;
    kernel->is_added = r == 0;
    kernel->add_fails = false;
    events |= r == 0 && kernel->n_in > 0 ? EPOLLIN : 0;
    events |= r == 0 && kernel->n_out > 0 ? EPOLLOUT : 0;
    tri_lock_release(&kernel->lock);
    if (events) /* what is ready now, as the poller would report it soon */
        tri_fd_event(data, events);
    return r;
}

static const struct tri_backend_ops kernel_ops = { .name = "kernel", .poller_add = kernel_add };
static struct tri_backend backend = { &kernel_ops };

static void happen(unsigned n_in, unsigned n_out)
{
    bool tells;

    tri_lock_acquire(&kernel->lock);
    kernel->n_in += n_in;
    kernel->n_out += n_out;
    tells = kernel->is_added;
    tri_lock_release(&kernel->lock);
    if (tells)
        tri_fd_event(&kernel->fd, (n_in > 0 ? EPOLLIN : 0u) | (n_out > 0 ? EPOLLOUT : 0u));
}

/* The system call: 0, or -EAGAIN. */
static int try_it(enum tri_fd_dir dir)
{
    unsigned *n = dir == TRI_FD_IN ? &kernel->n_in : &kernel->n_out;
    int r = -EAGAIN;

    tri_lock_acquire(&kernel->lock);
    if (*n > 0) {
        --*n;
        r = 0;
    }
    tri_lock_release(&kernel->lock);
    return r;
}

/* ---- the users, as lib/io has them: look, try, wait ---- */

static bool attempt(tr_arm *arm)
{
    const enum tri_fd_dir dir = (enum tri_fd_dir)arm->extra[0];
    struct tri_fd *f = arm->source;
    unsigned look;

    if (!tri_fd_may_try(f, dir))
        return false;
    look = tri_fd_look(f, dir);
    arm->result = tri_fd_take_error(f, dir);
    if (arm->result < 0)
        return true;
    arm->result = try_it(dir);
    if (arm->result == -EAGAIN)
        tri_fd_blocked(f, dir, look);
    return arm->result != -EAGAIN;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    return tri_fd_enroll(arm->source, (enum tri_fd_dir)arm->extra[0], w->wakee);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)w;
    tri_fd_withdraw(arm->source, (enum tri_fd_dir)arm->extra[0]);
    return false;
}

static const struct tri_arm_ops ops = {
    .what = "descriptor", .attempt = attempt, .enroll = enroll, .withdraw = withdraw,
};

static int wait_for(enum tri_fd_dir dir, tr_time deadline)
{
    tr_arm arm = { .ops = &ops, .source = &kernel->fd, .extra = { (uintptr_t)dir } };
    int r = tri_wait(&arm, deadline);

    return r < 0 ? r : arm.result;
}

static void setup(void)
{
    kernel = tri_mem_alloc(sizeof *kernel);
    tri_fd_init(&kernel->fd, &backend, 5);
    world_task(0, TRI_KIND_TASK, 1);
}

/* Two users of one runtime, threads 0 and 2. */
static void setup_2(void)
{
    setup();
    world_task(2, TRI_KIND_TASK, 3);
    world_same_runtime(2, 0);
}

static void setup_failing(void)
{
    setup_2();
    kernel->add_fails = true;
}

static void setup_failing_2(void)
{
    setup();
    world_task(1, TRI_KIND_TASK, 2);
    world_same_runtime(1, 0);
    kernel->add_fails = true;
}

static void finish(void)
{
    free(kernel);
    world_finish();
}

static void read_2(void)
{
    world_enter();
    check(wait_for(TRI_FD_IN, TR_NEVER) == 0);
    check(wait_for(TRI_FD_IN, TR_NEVER) == 0);
}

static void read_a_while(void)
{
    int r;

    world_enter();
    r = wait_for(TRI_FD_IN, TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    check(wait_for(TRI_FD_IN, TR_NEVER) == 0);
}

/* Whoever registers it may fail, once. */
static void use_1(enum tri_fd_dir dir)
{
    int r;

    world_enter();
    r = wait_for(dir, TR_NEVER);
    if (r == -ENOMEM)
        r = wait_for(dir, TR_NEVER);
    check(r == 0);
}

static void read_1(void)
{
    use_1(TRI_FD_IN);
}

static void write_1(void)
{
    use_1(TRI_FD_OUT);
}

/* Nothing ever happens. */
static void use_in_vain(enum tri_fd_dir dir)
{
    int r;

    world_enter();
    r = wait_for(dir, TR_S(2));
    check(r == -ETIMEDOUT || r == -ENOMEM);
}

static void read_in_vain(void)
{
    use_in_vain(TRI_FD_IN);
}

static void write_in_vain(void)
{
    use_in_vain(TRI_FD_OUT);
}

static void in_in(void)
{
    happen(1, 0);
    happen(1, 0);
}

static void in_out(void)
{
    happen(1, 0);
    happen(0, 1);
}

static void both(void)
{
    happen(1, 1);
}

static void in_rouse(void)
{
    tri_fd_rouse(&kernel->fd); /* for nothing */
    happen(1, 0);
    happen(1, 0);
}

/* ---- the gate of those who may not accept: thread 0 waits, the others close ---- */

static struct tri_quota *quota;
static atomic_uint n_open; /* descriptors: at most one */

static void setup_gate(void)
{
    quota = NULL;
    atomic_store(&n_open, 1);
    world_task(0, TRI_KIND_TASK, 1);
}

static void setup_2_inside(void)
{
    setup_gate();
    world_task(1, TRI_KIND_TASK, 2);
}

/* One socket of one may be open, and is. */
static void setup_quota(void)
{
    setup_gate();
    quota = tri_quota_new(1);
    check(quota);
    tri_quota_take(quota);
}

static void finish_gate(void)
{
    tri_quota_drop(quota);
    world_finish();
}

/* Takes a descriptor when there is one, and gives it back. */
static void accept_one(void)
{
    struct tri_gate_stay stay = { 0 };
    unsigned none = 0;

    world_enter();
    while (!atomic_compare_exchange_strong(&n_open, &none, 1)) {
        none = 0;
        if (stay.is_inside)
            check(tri_gate_wait(&stay, TR_NEVER) == 0);
        tri_gate_enter(&stay);
    }
    tri_gate_leave(&stay);
    atomic_store(&n_open, 0);
    tri_gate_closed();
}

static void close_one(void)
{
    atomic_store(&n_open, 0);
    tri_gate_closed();
}

static void await_room(void)
{
    struct tri_gate_stay stay = { .quota = quota };

    world_enter();
    tri_gate_enter(&stay);
    while (!tri_quota_has_room(quota))
        check(tri_gate_wait(&stay, TR_NEVER) == 0);
    tri_gate_leave(&stay);
}

static void close_of_quota(void)
{
    tri_quota_drop(quota);
    tri_gate_closed();
}

/* ---- broken ---- */

static void one_look(struct explore_op *op)
{
    /* The look at the number after the wakee was stored sees what the attempt has seen. */
    if (explore_is(op, "tri_fd_enroll", EXPLORE_LOAD))
        op->old = kernel->fd.side[TRI_FD_IN].seen;
}

static void waiter_unseen(struct explore_op *op)
{
    if (explore_is(op, "side_event", EXPLORE_LOAD))
        op->old = 0;
}

static void not_roused(struct explore_op *op)
{
    /* The one who failed to register does not tell the other side. */
    if (explore_is(op, "side_event", EXPLORE_ADD) && explore_self() != 1 && !kernel->is_added)
        op->writes = false;
}

static void home_relaxed(struct explore_op *op)
{
    if (explore_is(op, "go_home", EXPLORE_STORE))
        op->order = __ATOMIC_RELAXED;
}

static void inside_unseen(struct explore_op *op)
{
    /* Adding nothing is or-ing nothing, for some compilers. */
    if (explore_is(op, "tri_gate_closed", EXPLORE_ADD) ||
        explore_is(op, "tri_gate_closed", EXPLORE_OR))
        op->old = 0;
}

static void close_uncounted(struct explore_op *op)
{
    /* Those inside who are not in the list yet do not see that there was a close. */
    if (explore_is(op, "tri_gate_closed", EXPLORE_ADD))
        op->writes = false;
}

static const struct explore_broken broken[] = {
    { "no second look at the number of events", one_look },
    { "an event does not see who waits", waiter_unseen },
    { 0 },
};

static const struct explore_broken broken_home[] = {
    { "a registration fails and the other side is not told", not_roused },
    { 0 },
};

static const struct explore_broken broken_claim[] = {
    { "a registration that fails is given up in relaxed order", home_relaxed },
    { 0 },
};

static const struct explore_broken broken_gate[] = {
    { "a close does not see who is inside", inside_unseen },
    { "a close is not counted", close_uncounted },
    { 0 },
};

const struct explore_case explore_fd_cases[] = {
    { "descriptor, read 2 x event, event", setup, { read_2, in_in }, finish, 3, 4, broken },
    { "descriptor, read with a deadline, read x event, event", setup, { read_a_while, in_in },
      finish, 2, 3, NULL },
    { "descriptor, read 2 x rouse, event, event", setup, { read_2, in_rouse }, finish, 2, 3, NULL },
    { "descriptor, read x event x write", setup_2, { read_1, both, write_1 }, finish, 1, 2, NULL },
    { "descriptor, read x event, event x write, one fails to register", setup_failing,
      { read_1, in_out, write_1 }, finish, 1, 2, broken_home },
    { "descriptor, read with a deadline x write with a deadline, one fails to register",
      setup_failing_2, { read_in_vain, write_in_vain }, finish, 2, 3, broken_claim },
    { "accept gate, accept x close", setup_gate, { accept_one, close_one }, finish_gate, 3, 4,
      broken_gate },
    { "accept gate, accept x accept x close", setup_2_inside,
      { accept_one, accept_one, close_one }, finish_gate, 1, 2, NULL },
    { "accept gate, room x close", setup_quota, { await_room, close_of_quota }, finish_gate, 3, 4,
      NULL },
    { 0 },
};
