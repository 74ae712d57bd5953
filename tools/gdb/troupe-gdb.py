# SPDX-License-Identifier: MIT
"""Lists tasks and shows the stacks of parked ones, in a live process and in a core file.

    (gdb) source troupe-gdb.py
    (gdb) troupe tasks
    #63    parked   'conn' waits for socket readable
    #64    running  'stats' on worker 1, thread 3
    #65    ready    'conn'
    (gdb) troupe bt conn            the first one of that name
    (gdb) troupe bt #63
    (gdb) troupe bt task.ctx.sp     any saved stack pointer (struct tri_context, field sp)

A task that runs is on the stack of its thread: troupe bt says which, for thread N and bt.

The library needs its debug information. Nothing of the program is changed: gdb is told, for the
length of one backtrace, that the selected thread's innermost frame was called from where the
context is parked.
"""

import re

import gdb
import gdb.unwinder

# Words from the saved sp upwards (lib/sched/switch-*.S), how many, and the names of sp and pc.
LAYOUTS = {
    "x86-64": (["r15", "r14", "r13", "r12", "rbx", "rbp", "rip"], 7, "rsp", "rip"),
    "aarch64": (["x%d" % n for n in range(19, 30)] + ["pc"], 20, "sp", "pc"),
}


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """Answers for frame 0 only, and only while a backtrace of ours runs."""

    def __init__(self):
        super().__init__("troupe-parked")
        self.sp = None
        self.has_answered = False

    def __call__(self, pending):
        if self.sp is None or pending.level() != 0:
            return None
        arch = pending.architecture().name()
        names, n_words, sp_name, pc_name = layout(arch)
        word = gdb.lookup_type("unsigned long")
        # Frame ids must grow outwards: the parked sp stands for frame 0.
        pc = pending.read_register(pc_name)
        info = pending.create_unwind_info(FrameId(gdb.Value(self.sp), pc))
        for i, name in enumerate(names):
            value = gdb.Value(self.sp + 8 * i).cast(word.pointer()).dereference()
            info.add_saved_register(name, as_register(pending, name, value))
        top = gdb.Value(self.sp + 8 * n_words)
        info.add_saved_register(sp_name, as_register(pending, sp_name, top))
        self.has_answered = True
        return info


def layout(arch):
    for key, value in LAYOUTS.items():
        if key in arch:
            return value
    raise gdb.GdbError("troupe: no layout of parked contexts for " + arch)


def as_register(pending, name, value):
    return value.cast(pending.read_register(name).type)


unwinder = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def backtrace(sp):
    """The frames of the context parked at sp, as text, outermost last."""
    selected = gdb.selected_frame()
    gdb.newest_frame().select()
    unwinder.sp = sp
    unwinder.has_answered = False
    gdb.invalidate_cached_frames()
    try:
        text = gdb.execute("backtrace", to_string=True)
    finally:
        unwinder.sp = None
        gdb.invalidate_cached_frames()
    if selected.is_valid():
        selected.select()
    start = re.search(r"^#1 ", text, re.M)
    if not start or not unwinder.has_answered:
        raise gdb.GdbError("troupe: nothing is parked at 0x%x" % sp)
    text = text[start.start():]
    return re.sub(r"^#(\d+)", lambda m: "#%d" % (int(m[1]) - 1), text, flags=re.M)


class Troupe(gdb.Command):
    """Commands for programs built on troupe."""

    def __init__(self):
        super().__init__("troupe", gdb.COMMAND_STACK, prefix=True)


def started_tasks():
    """The records of all tasks that have a stack, in the order of their numbers."""
    slab = gdb.parse_and_eval("tri_tasks")
    task = gdb.lookup_type("struct tri_task").pointer()
    made = int(slab["n_made"])
    for index in range(made):
        record = int(slab["base"][index >> 12]) + (index & 4095) * int(slab["size"])
        t = gdb.Value(record).cast(task)
        if int(t["frame"]):
            yield index, t


def name_of(t):
    return t["name"].string(errors="replace")


def sp_of(t):
    return int(t["frame"]["ctx"]["sp"])


def worker_of(t):
    """The worker that runs the task now, or None: then its stack pointer is saved in its frame."""
    w = t["a"]["home"].cast(gdb.lookup_type("struct tri_worker").pointer())
    return w if int(w) and int(w["task"]) == int(t) else None


def place_of(w):
    """Where a worker runs, as `worker 1, thread 3'."""
    tid = int(w["tid"])
    for thread in gdb.selected_inferior().threads():
        if tid in thread.ptid[1:]:
            return "worker %d, thread %d" % (int(w["index"]), thread.num)
    return "worker %d, LWP %d" % (int(w["index"]), tid)


def find_sp(arg):
    """The saved stack pointer that the argument of `troupe bt' means."""
    for index, t in started_tasks_or_none():
        if arg == "#%d" % index or arg == name_of(t):
            w = worker_of(t)
            if w is not None:
                raise gdb.GdbError("troupe: '%s' #%d is running on %s: use thread N and bt"
                                   % (name_of(t), index, place_of(w)))
            return sp_of(t)
    return int(gdb.parse_and_eval(arg).cast(gdb.lookup_type("unsigned long")))


def started_tasks_or_none():
    try:
        return list(started_tasks())
    except gdb.error:
        return []


class TroupeTasks(gdb.Command):
    """troupe tasks: every started task, its name, and what it waits for."""

    def __init__(self):
        super().__init__("troupe tasks", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        for index, t in started_tasks():
            w = worker_of(t)
            what = t["frame"]["wait_what"]
            more = ""
            if w is not None:
                state, more = "running", "on " + place_of(w)
            elif int(t["a"]["wakee"]["parked"]):
                state = "parked"
                more = "waits for " + what["what"].string() if int(what) else ""
            else:
                state = "ready"
            gdb.write("#%-5d %-8s '%s' %s\n" % (index, state, name_of(t), more))


class TroupeBacktrace(gdb.Command):
    """troupe bt NAME | #NUMBER | SP: the stack of a parked task."""

    def __init__(self):
        super().__init__("troupe bt", gdb.COMMAND_STACK, gdb.COMPLETE_EXPRESSION)

    def invoke(self, arg, from_tty):
        if not arg:
            raise gdb.GdbError("troupe bt NAME, #NUMBER or a saved stack pointer")
        gdb.write(backtrace(find_sp(arg)))


Troupe()
TroupeTasks()
TroupeBacktrace()
