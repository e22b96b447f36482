# SPDX-License-Identifier: Apache-2.0
"""For gdb: `source weft_gdb.py`, then `weft tasks` lists the suspended tasks of all pools of the
program, or of its core file, each with where it waits. It needs libweft's debug information."""
import gdb
from gdb.unwinder import Unwinder, register_unwinder

# weft_fiber_.state, see pool/fiber.h.
STATES = {2: 'waits', 3: 'may go on'}
# Where a context that was left keeps what it goes on with, see pool/context.c: for each register
# its place above the saved stack pointer, and how much of the stack that is.
SAVED = {
    'i386:x86-64': ({'r15': 8, 'r14': 16, 'r13': 24, 'r12': 32, 'rbx': 40, 'rbp': 48, 'rip': 56},
                    64, 'rsp'),
    'aarch64': ({**{f'x{number}': 64 + (number - 19) * 8 for number in range(19, 31)},
                 'pc': 152}, 176, 'sp'),
}


class FrameId:
    """What gdb tells frames apart by."""

    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class FiberUnwinder(Unwinder):
    """Says, while it has a fiber, that what runs was called from where the fiber was left. So the
    fiber's frames follow, also in a core file, whose registers cannot be changed."""

    def __init__(self):
        super().__init__('weft fiber')
        self.stack_pointer = None

    def __call__(self, pending_frame):
        if self.stack_pointer is None or pending_frame.level() != 0:
            return None
        places, size, stack_register = SAVED[pending_frame.architecture().name()]
        word = gdb.lookup_type('unsigned long')
        pc = pending_frame.read_register(list(places)[-1])
        # As if what runs stood below the fiber: gdb takes a stack that does not grow for broken.
        info = pending_frame.create_unwind_info(
            FrameId(gdb.Value(self.stack_pointer).cast(word), pc))
        for register, place in places.items():
            value = gdb.Value(self.stack_pointer + place).cast(word.pointer()).dereference()
            info.add_saved_register(register, value.cast(word))
        info.add_saved_register(stack_register, gdb.Value(self.stack_pointer + size).cast(word))
        return info


UNWINDER = FiberUnwinder()
register_unwinder(None, UNWINDER, replace=True)


def workers():
    """The pools' workers, one for each of the threads that is one."""
    selected = gdb.selected_thread()
    try:
        for thread in sorted(gdb.selected_inferior().threads(), key=lambda one: one.num):
            thread.switch()
            worker = gdb.parse_and_eval('weft_worker_current_')
            if int(worker) != 0:
                yield worker
    finally:
        if selected is not None:
            selected.switch()


def fibers(worker):
    """All fibers that a worker has made; they may be at another one by now."""
    yield worker['fibers']['first']
    slab = worker['fibers']['stacks']['first']
    pointer = gdb.lookup_type('weft_fiber_').pointer()
    while int(slab) != 0:
        for index in range(int(worker['fibers']['stacks']['per_slab'])):
            if not int(slab['free']) >> index & 1 and int(slab['owner'][index]) != 0:
                yield slab['owner'][index].cast(pointer).dereference()
        slab = slab['next']


def backtrace(fiber):
    """The fiber's frames, as gdb prints them."""
    UNWINDER.stack_pointer = int(fiber['context']['stack_pointer_'])
    gdb.invalidate_cached_frames()
    try:
        lines = gdb.execute('backtrace', to_string=True).splitlines()
    finally:
        UNWINDER.stack_pointer = None
        gdb.invalidate_cached_frames()
    return [line for line in lines if not line.startswith('#0 ')]


class Weft(gdb.Command):
    """What weft's pools are doing: `weft tasks`."""

    def __init__(self):
        super().__init__('weft', gdb.COMMAND_STATUS, prefix=True)


class WeftTasks(gdb.Command):
    """weft tasks: the suspended tasks of all pools, with their back traces."""

    def __init__(self):
        super().__init__('weft tasks', gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        try:
            gdb.lookup_type('weft_fiber_')
        except gdb.error as error:
            raise gdb.GdbError('libweft has no debug information here') from error
        count = 0
        for worker in workers():
            for fiber in fibers(worker):
                state = STATES.get(int(fiber['state']))
                if state is None:
                    continue
                count += 1
                task = int(fiber['task'])
                index = int(fiber['worker']['index'])
                print(f"task {task:#x} on worker {index} {state}:")
                for line in backtrace(fiber):
                    print('  ' + line)
        print(f'{count} suspended')


Weft()
WeftTasks()
