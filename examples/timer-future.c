/* SPDX-License-Identifier: MIT */
/*
 * timer-future - the first exercise on futures: a plain thread sleeps, then completes what a
 * task waits for. The future's own part is the forty lines up to timer_start().
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include <troupe.h>

struct timer {
    tr_future future;
    pthread_mutex_t lock;
    bool over;
    tr_waker waiter;
    struct timespec span;
    pthread_t thread;
};

static bool timer_poll(tr_future *f, const tr_waker *waker)
{
    struct timer *t = (struct timer *)f;
    bool over;

    pthread_mutex_lock(&t->lock);
    if (waker)
        t->waiter = *waker;
    over = t->over;
    pthread_mutex_unlock(&t->lock);
    return over;
}

static void *timer_thread(void *arg)
{
    struct timer *t = arg;
    tr_waker waiter;

    nanosleep(&t->span, NULL);
    pthread_mutex_lock(&t->lock);
    t->over = true;
    waiter = t->waiter;
    pthread_mutex_unlock(&t->lock);
    tr_waker_wake(waiter);
    return NULL;
}

static int timer_start(struct timer *t, long ms)
{
    *t = (struct timer){ .future = { .poll = timer_poll },
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .span = { ms / 1000, ms % 1000 * 1000000 } };
    return -pthread_create(&t->thread, NULL, timer_thread, t);
}

static int app(tr_scope *root, void *arg)
{
    struct timer t;
    int r = timer_start(&t, 200);

    (void)root, (void)arg;
    if (r < 0)
        return r;
    printf("waiting\n");
    r = tr_await(&t.future, tr_after(TR_S(10)));
    pthread_join(t.thread, NULL);
    printf("%s\n", r == 0 ? "over" : "late");
    return r;
}

int main(void)
{
    return tr_run(app, NULL) < 0;
}
