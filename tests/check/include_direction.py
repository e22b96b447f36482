#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""include_direction.py ROOT BUILD | --self-test: who may know whom.

Reads the #include lines and the calls of the tree: a room includes only itself and the rooms below
it; programs include installed headers only; a foreign library has one door; only sync/park puts a
thread to sleep and only pool/ creates one.
"""
import os
import re
import sys

from c_source import LIBRARY_ROOMS, Source, Tap, installed_headers, read, tree_files

BELOW = {
    'lockfree': [],
    'affinity': ['lockfree'],
    'sync': ['lockfree', 'affinity'],
    'pool': ['lockfree', 'affinity', 'sync'],
    'ipc': ['lockfree', 'affinity', 'sync', 'pool'],
    'io': ['lockfree', 'affinity', 'sync', 'pool'],
}
PROGRAMS = ('tools', 'bench', 'examples')
# A pattern of includes, and the only paths of the library that may have it.
DOORS = [
    ('hwloc', r'hwloc', r'affinity/'),
    ('liburcu', r'(urcu|rcu)\b', r'lockfree/reclaim_urcu\.c'),
    ('jemalloc', r'jemalloc', r'affinity/memory'),
    ('threads and system calls', r'(pthread|threads|semaphore|sys/syscall|sys/mman|linux/futex|'
     r'poll|sys/epoll|sys/select)\.h', r'(affinity|sync|pool|ipc|io)/|lockfree/reclaim_urcu\.c'),
]
# The same for the functions that are called.
CALLS = [
    ('system calls and pthreads', r'syscall|pthread_\w+|mmap|futex\w*',
     r'(affinity|sync|pool|ipc|io)/|lockfree/reclaim_urcu\.c'),
    ('what waits in liburcu', r'\w*synchronize_rcu\w*|\w*rcu_(?:barrier|defer\w*)|\w*call_rcu\w*',
     r'lockfree/reclaim_urcu\.c'),
    ('a grace period slept through', r'weft_reclaim_(?:synchronize|barrier)|weft_urcu_wait_',
     r'lockfree/reclaim'),
    ('sleeping and yielding', r'SYS_futex\w*|__NR_futex\w*|nanosleep|clock_nanosleep|u?sleep|'
     r'sched_yield|thrd_(?:sleep|yield)|p?poll|p?select|epoll_p?wait2?|pause|sigtimedwait|'
     r'sem_(?:timed|clock)?wait|pthread_(?:mutex_(?:timed|clock)?lock|cond_\w+|rwlock_\w+|'
     r'barrier_wait|yield)|(?:mtx|cnd)_\w+', r'sync/park'),
    ('creating threads', r'pthread_create|thrd_create|clone3?|fork', r'pool/'),
]


def includes(source):
    """(offset, what is included, whether in quotes) of each #include line."""
    for directive in source.directives:
        found = re.match(r'\s*#\s*include\s*', directive.text)
        # The name is blank in the directive where it is a literal; the text has it.
        name = re.match(r'[<"]([^>"]+)[>"]', source.text[directive.start:directive.end]
                        [found.end():]) if found else None
        if name:
            yield directive.start, name.group(1), source.text[directive.start + found.end()] == '"'


def room_of(source, name, quoted):
    """The room an include leads to, or None when it leaves the tree."""
    if name.startswith('weft/'):
        return name.split('/')[1] if name.count('/') > 1 else 'weft.h'
    if not quoted:
        return None
    return os.path.normpath(os.path.join(os.path.dirname(source.path), name)).split('/')[0]


def direction(source):
    room = source.path.split('/')[0]
    for offset, name, quoted in includes(source):
        target = room_of(source, name, quoted)
        if target is not None and target != room and target not in BELOW[room]:
            yield f'{source.place(offset)}: {room}/ must not include {name}'


def public_only(source, installed):
    room = source.path.split('/')[0]
    for offset, name, quoted in includes(source):
        target = room_of(source, name, quoted)
        if target == room or target is None:
            continue
        if quoted or name not in installed:
            yield f'{source.place(offset)}: {name} is not an installed header'


def doors(source, pattern, door):
    for offset, name, _ in includes(source):
        if re.match(pattern, name) and not re.match(door, source.path):
            yield f'{source.place(offset)}: {name} is for {door} only'


def calls(source, pattern, door):
    for match in re.finditer(rf'\b(?:{pattern})\b(?=\s*[(,])', source.code):
        if not re.match(door, source.path):
            yield f'{source.place(match.start())}: {match.group()} is for {door} only'


def check(sources, installed):
    """Yields (name of the point, complaints)."""
    library = [source for source in sources if source.path.split('/')[0] in LIBRARY_ROOMS]

    def collect(group, rule, *more):
        return [complaint for source in group for complaint in rule(source, *more)]

    for room in BELOW:
        group = [source for source in library if source.path.startswith(room + '/')]
        if group:
            yield f'{room}/ includes only itself and what stands below', \
                collect(group, direction)
    for room in PROGRAMS:
        group = [source for source in sources if source.path.startswith(room + '/')]
        yield f'{room}/ includes only installed headers', collect(group, public_only, installed)
    yield 'installed headers include only installed headers', collect(
        [source for source in library if 'weft/' + source.path in installed],
        lambda source: (f'{source.place(offset)}: {name} is not installed'
                        for offset, name, _ in includes(source)
                        if name.startswith('weft/') and name not in installed))
    whole = {name for source in sources if source.path == 'weft.h'
             for _, name, _ in includes(source)} | {'weft/weft.h'}
    yield 'weft.h includes every installed header', \
        [f'weft.h: {name} is missing' for name in sorted(installed - whole)]
    for what, pattern, door in DOORS:
        yield f'headers of {what}: {door} only', collect(library, doors, pattern, door)
    for what, pattern, door in CALLS:
        yield f'{what}: {door} only', collect(library, calls, pattern, door)


def self_test(tap):
    installed = {'weft/weft.h', 'weft/lockfree/base.h', 'weft/sync/park.h'}
    good = {
        'weft.h': '#include <weft/lockfree/base.h>\n#include <weft/sync/park.h>\n',
        'lockfree/base.h': '/* pthread_create(, #include <hwloc.h> */\n#include <stdint.h>\n',
        'lockfree/reclaim.c': '#include <stdint.h>\n',
        'lockfree/reclaim_urcu.c': '#include <pthread.h>\n#include <urcu/urcu-memb.h>\n',
        'affinity/plan.c': '#include <hwloc.h>\n#include <weft/lockfree/base.h>\n',
        'sync/park.h': '#include <linux/futex.h>\nvoid f(void) { syscall(SYS_futex, 0); }\n',
        'pool/pool.c': '#include "../sync/park.h"\nvoid f(void) { pthread_create(0); }\n',
        'tools/weft.c': '#include "weft.h"\n#include <weft/weft.h>\n',
    }
    bad = [
        ('lockfree/base.h', '#include <weft/sync/park.h>\n', 'lockfree/ must not include'),
        ('sync/park.h', '#include "../pool/pool.h"\n', 'sync/ must not include'),
        ('lockfree/base.h', '#include <weft/weft.h>\n', 'lockfree/ must not include'),
        ('tools/weft.c', '#include <weft/sync/inner.h>\n', 'not an installed header'),
        ('tools/weft.c', '#include "../pool/pool.h"\n', 'not an installed header'),
        ('sync/park.h', '#include <weft/sync/inner.h>\n', 'is not installed'),
        ('pool/pool.c', '#include <hwloc/linux.h>\n', 'hwloc/linux.h is for affinity/ only'),
        ('lockfree/base.h', '#include <urcu/uatomic.h>\n', 'for lockfree/reclaim_urcu'),
        ('lockfree/reclaim.c', '#include <urcu/uatomic.h>\n', 'for lockfree/reclaim_urcu'),
        ('lockfree/reclaim.c', '#include <pthread.h>\n', 'pthread.h is for'),
        ('lockfree/reclaim_urcu.c', 'void g(void) { pthread_mutex_lock(0); }\n', 'sync/park only'),
        ('pool/pool.c', 'void g(void) { weft_reclaim_barrier(); }\n', 'for lockfree/reclaim only'),
        ('affinity/plan.c', '#include <jemalloc/jemalloc.h>\n', 'for affinity/memory only'),
        ('lockfree/base.h', '#include <pthread.h>\n', 'pthread.h is for'),
        ('lockfree/base.h', 'void g(void) { pthread_self(); }\n', 'pthread_self is for'),
        ('pool/pool.c', 'void g(void) { usleep(1); }\n', 'usleep is for sync/park only'),
        ('pool/pool.c', 'void g(void) { syscall(SYS_futex, 1); }\n', 'SYS_futex is for sync/park'),
        ('sync/park.h', 'void g(void) { pthread_create(0); }\n', 'pthread_create is for pool/'),
    ]

    def complaints(files):
        sources = [Source(path, text) for path, text in files.items()]
        return sum((found for _, found in check(sources, installed)), [])
    def changed(path, text):
        return complaints({**good, path: text})

    tap.point('self-test: a good tree is accepted', complaints(good))
    tap.point('self-test: a header that weft.h lacks',
              [] if 'weft.h: weft/sync/park.h is missing' in changed('weft.h', '') else
              ['no such complaint'])
    for path, line, wanted in bad:
        found = changed(path, good[path] + line)
        tap.point(f'self-test: {wanted}', [] if any(wanted in text for text in found) else
                  ['no such complaint; these came:'] + found)


def main():
    tap = Tap()
    if sys.argv[1] == '--self-test':
        self_test(tap)
        return tap.finish()
    root, build = sys.argv[1:]
    sources = [Source(path, read(root, path)) for path in tree_files(root, ('.c', '.h', '.cc'))]
    for name, complaints in check(sources, installed_headers(build)):
        tap.point(name, complaints)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
