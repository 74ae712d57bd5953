/* SPDX-License-Identifier: MIT */
/*
 * troupe.h - actors for C: everything at once. Start reading in troupe/runtime.h and
 * troupe/task.h.
 */
#ifndef TROUPE_H
#define TROUPE_H

#include <troupe/ask.h>
#include <troupe/barrier.h>
#include <troupe/broadcast.h>
#include <troupe/completer.h>
#include <troupe/delayq.h>
#include <troupe/future.h>
#include <troupe/group.h>
#include <troupe/handler.h>
#include <troupe/interval.h>
#include <troupe/local.h>
#include <troupe/mpsc.h>
#include <troupe/mutex.h>
#include <troupe/notify.h>
#include <troupe/once.h>
#include <troupe/oneshot.h>
#include <troupe/runtime.h>
#include <troupe/rwlock.h>
#include <troupe/scope.h>
#include <troupe/select.h>
#include <troupe/semaphore.h>
#include <troupe/signal.h>
#include <troupe/sock.h>
#include <troupe/supervise.h>
#include <troupe/task.h>
#include <troupe/time.h>
#include <troupe/tracker.h>
#include <troupe/types.h>
#include <troupe/version.h>
#include <troupe/watch.h>

#endif /* TROUPE_H */
