#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""implicit_atomics.py ROOT BUILD: no plain read, assignment, ++ or += of an atomic object.

C makes each of these a seq_cst operation without a word in the source. memory_order_labels.py reads
calls; this asks clang, which knows the types, for its syntax tree of each library source, and
begins with a sample that has every such operation."""
import os
import re
import shutil
import subprocess
import sys

from c_source import LIBRARY_ROOMS, Tap, installed_headers, read, tree_files

PLACE = re.compile(r'line:(\d+):\d+|(<[\w ]+>|[^\s<>,:]+):(\d+):\d+')
ATOMIC_TYPE = r"'[^']*\b_Atomic\([^']*\)'"
IMPLICIT = re.compile(
    rf'<AtomicToNonAtomic>|\bCompoundAssignOperator .*{ATOMIC_TYPE}|'
    rf"\bBinaryOperator .*{ATOMIC_TYPE} '='$")
STEP = re.compile(r"\bUnaryOperator .*'(?:\+\+|--)'$")
OPERAND = re.compile(ATOMIC_TYPE)
SAMPLE = '''#include <stdatomic.h>
struct thing { _Atomic(int) count; _Atomic(int *) next; _Atomic(int) *elsewhere; };
int f(struct thing *thing, _Atomic(int) *other, int *plain);
int f(struct thing *thing, _Atomic(int) *other, int *plain) {
thing->count++;
thing->count += 2;
thing->count = 3;
if (thing->next)
return thing->count;
--*thing->elsewhere;
/* From here on all is well. */
thing->elsewhere = other;
*plain += 1;
++*plain;
atomic_init(&thing->count, 1);
return atomic_load_explicit(&thing->count, memory_order_relaxed);
}
'''


def moved(place, text):
    """The place after what the tree prints: only what differs from the one printed before."""
    for line_alone, file, line in PLACE.findall(text):
        place = (file, int(line)) if file else (place[0], int(line_alone))
    return place


def implicit(name, text, include):
    """The sorted "file:line" of each implicit operation of a translation unit."""
    tree = subprocess.run(
        ['clang', '-std=c11', '-D_GNU_SOURCE', '-DWEFT_BUILDING_', '-fsyntax-only', '-x', 'c',
         '-Xclang', '-ast-dump', '-fno-color-diagnostics', '-I', include, '-I',
         os.path.dirname(name), '-'],
        input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    place, found = (name, 0), set()
    for node, operand in zip(tree, tree[1:] + ['']):
        begin, _, end = node.partition(',')
        place = moved(place, begin)
        if IMPLICIT.search(node) or STEP.search(node) and OPERAND.search(operand):
            found.add(place)
        place = moved(place, end)
    return [f'{file}:{line}' for file, line in sorted(found)]


def main():
    root, build = sys.argv[1:]
    include = os.path.join(build, 'include')
    tap = Tap()
    if shutil.which('clang') is None:
        tap.skip('no implicit atomic operation', 'clang is not installed')
        return tap.finish()
    found = implicit('./sample', SAMPLE, include)
    tap.point('the sample: every implicit operation is seen, and no other',
              [] if found == [f'<stdin>:{line}' for line in range(5, 11)] else found)
    headers = ''.join(f'#include <{header}>\n' for header in sorted(installed_headers(build)))
    tap.point('no implicit atomic operation in the installed headers',
              implicit('./headers', headers, include))
    for path in tree_files(root, '.c'):
        if path.split('/')[0] in LIBRARY_ROOMS:
            tap.point(f'no implicit atomic operation in {path}',
                      implicit(os.path.join(root, path), read(root, path), include))
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
