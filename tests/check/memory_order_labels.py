#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memory_order_labels.py ROOT | --self-test: every memory order of the library says why.

The grammar is in CONTRIBUTING.md. In short: an atomic call names its order (the _explicit form); a
call stronger than relaxed has in or above its statement a label such as

    /* P1 release, pairs with C1: publishes the element. */

whose order is that of the call (of its success, where it has two) and whose partners are labels of
the same thing (its .h and .c together) or of another (`deque:D3`) and name it back; a relaxed call
has a comment with `relaxed:` and the reason in its function, in the comment above the function, or
at the field it works on.
"""
import re
import sys

from c_source import LIBRARY_ROOMS, Source, Tap, arguments, read, tree_files

EXPLICIT = re.compile(r'\b(atomic_\w+_explicit|atomic_(?:thread|signal)_fence)\s*\(')
IMPLICIT = re.compile(
    r'\b(atomic_(?:load|store|exchange|fetch_\w+|compare_exchange_\w+|flag_\w+)(?<!_explicit)|'
    r'__atomic_\w+|__sync_\w+)\s*\(')
ORDER = re.compile(r'memory_order_(\w+)$')
LABEL = re.compile(
    r'\b([A-Z]{1,3}[0-9]+) (acquire|release|acq_rel|seq_cst), '
    r'pairs with ((?:\w+:)?[A-Z]{1,3}[0-9]+(?:, (?:\w+:)?[A-Z]{1,3}[0-9]+)*): \S')
FIELD = re.compile(r'\bWEFT_ATOMIC\(.*\)\s*\**\s*(\w+)\s*(?:\[[^;]*)?$', re.DOTALL)
ACQUIRES, RELEASES = ('acquire', 'acq_rel', 'seq_cst'), ('release', 'acq_rel', 'seq_cst')


class Label:
    def __init__(self, match, place):
        self.name, self.order, self.place = match.group(1), match.group(2), place
        self.partners = match.group(3).split(', ')


class Operation:
    """One atomic call with a named order."""

    def __init__(self, source, match):
        self.offset, self.call = match.start(), match.group(1)
        words, self.end = arguments(source.code, match.end() - 1)
        two = 'compare_exchange' in self.call
        order = ORDER.match(words[-2 if two and len(words) > 1 else -1])
        self.order = order.group(1) if order else None
        fields = re.findall(r'\w+', re.sub(r'\[[^]]*\]', '', words[0]))
        self.field = fields[-1] if fields else None


class Thing:
    """A header and its source: they share the labels and the reasons given at fields."""

    def __init__(self, name, sources):
        self.name, self.sources = name, sources
        self.labels, self.complaints, self.reasoned_fields = {}, [], set()
        self.find_labels_()
        self.find_fields_()

    def find_labels_(self):
        for source in self.sources:
            for comment in source.comments:
                found = list(LABEL.finditer(comment.text))
                place = source.place(comment.start)
                if len(found) != len(re.findall(r'\bpairs with\b', comment.text)):
                    self.complaints.append(
                        f'{place}: "pairs with" outside the grammar '
                        '`P1 release, pairs with C1: why`')
                for match in found:
                    label = Label(match, place)
                    if label.name in self.labels:
                        self.complaints.append(
                            f'{place}: label {label.name} stands already at '
                            f'{self.labels[label.name].place}')
                    self.labels[label.name] = label

    def find_fields_(self):
        for source in self.sources:
            for match in re.finditer(r'\bWEFT_ATOMIC\(', source.code):
                statement = source.statement(match.start())
                field = FIELD.search(source.code, statement.start, statement.end)
                if field and any('relaxed:' in comment.text
                                 for comment in source.comments_of(statement)):
                    self.reasoned_fields.add(field.group(1))

    def check(self, things):
        used = set()
        for source in self.sources:
            self.check_calls_(source)
            self.check_statements_(source, used)
        for label in self.labels.values():
            if label.name not in used:
                self.complaints.append(
                    f'{label.place}: label {label.name} is at no call of its order')
            self.check_partners_(label, things)
        return self.complaints

    def check_calls_(self, source):
        for match in IMPLICIT.finditer(source.code):
            self.complaints.append(
                f'{source.place(match.start())}: {match.group(1)} does not name its order; '
                'use the _explicit form')
        for directive in source.directives:
            if EXPLICIT.search(directive.text) or IMPLICIT.search(directive.text):
                self.complaints.append(
                    f'{source.place(directive.start)}: an atomic call inside a macro')

    def check_statements_(self, source, used):
        """Groups the calls by statement, as labels belong to statements."""
        statements = {}
        for match in EXPLICIT.finditer(source.code):
            operation = Operation(source, match)
            statement = source.statement(match.start())
            if operation.order is None:
                self.complaints.append(
                    f'{source.place(match.start())}: the order of {operation.call} is not a '
                    'constant')
            elif operation.order == 'relaxed':
                self.check_relaxed_(source, operation)
            else:
                statements.setdefault(statement.start, (statement, []))[1].append(operation)
        for statement, operations in statements.values():
            labels = [Label(match, source.place(comment.start))
                      for comment in source.comments_of(statement)
                      for match in LABEL.finditer(comment.text)]
            used.update(label.name for label in labels)
            wanted = sorted(operation.order for operation in operations)
            given = sorted(label.order for label in labels)
            if wanted != given:
                self.complaints.append(
                    f'{source.place(operations[0].offset)}: orders here: {", ".join(wanted)}; '
                    f'labels here: {", ".join(given) or "none"}')

    def check_relaxed_(self, source, operation):
        function = source.function_at(operation.offset)
        reasons = [] if function is None else \
            [comment for comment in source.comments
             if function.start <= comment.start < function.end and 'relaxed:' in comment.text]
        if not reasons and operation.field not in self.reasoned_fields:
            self.complaints.append(
                f'{source.place(operation.offset)}: relaxed, and no comment `relaxed: why` in '
                'or above its function or at the field')

    def check_partners_(self, label, things):
        orders = []
        for partner in label.partners:
            thing, _, name = partner.rpartition(':')
            there = things.get(thing or self.name)
            found = there.labels.get(name) if there else None
            if found is None:
                self.complaints.append(f'{label.place}: {label.name} pairs with {partner}, '
                                       'which does not exist')
                continue
            orders.append(found.order)
            back = label.name if there is self else f'{self.name}:{label.name}'
            if back not in found.partners:
                self.complaints.append(f'{label.place}: {label.name} pairs with {partner}, '
                                       f'which does not name {back} back ({found.place})')
        for mine, theirs in ((ACQUIRES, RELEASES), (RELEASES, ACQUIRES)):
            if orders and label.order in mine and label.order not in theirs and \
                    not any(order in theirs for order in orders):
                self.complaints.append(f'{label.place}: {label.name} is {label.order} and none '
                                       f'of its partners is {" or ".join(theirs)}')


def check(sources):
    """Maps each thing to its complaints."""
    by_name = {}
    for source in sources:
        by_name.setdefault(source.thing, []).append(source)
    things = {name: Thing(name, group) for name, group in by_name.items()}
    return {name: thing.check(things) for name, thing in sorted(things.items())}


GOOD = '''
struct queue {
	WEFT_ATOMIC(int) seen; /* relaxed: a hint. */
	WEFT_ATOMIC(int) turn;
};
/* Pushes. relaxed: only this thread writes it. */
static void push(struct queue *queue)
{
	int mine = atomic_load_explicit(&queue->turn, memory_order_relaxed);
	/* P1 release, pairs with C1,
	 * C2: publishes the element. */
	atomic_store_explicit(&queue->turn, mine + 1, memory_order_release);
}
static int pop(struct queue *queue)
{
	if (atomic_load_explicit(&queue->seen, memory_order_relaxed))
		return 0;
	/* C1 acquire, pairs with P1: sees the element. */
	if (atomic_load_explicit(&queue->turn, memory_order_acquire))
		return 1;
	do {
		mine = 1;
		/* C2 acq_rel, pairs with P1, C2: takes it. */
	} while (!atomic_compare_exchange_strong_explicit(
		&queue->turn, &mine, 0, memory_order_acq_rel, memory_order_relaxed));
	return 1;
}
'''
# What is replaced in GOOD, by what, and a part of the complaint that must follow.
BAD = [
    ('_explicit(&queue->seen, memory_order_relaxed)', '(&queue->seen)', 'does not name its order'),
    ('atomic_load_explicit(&queue->seen', '__atomic_load_n(&queue->seen', 'not name its order'),
    (' relaxed: only', ' only', 'thing.c:9: relaxed, and no comment'),
    (' /* relaxed: a hint. */', '', 'thing.c:16: relaxed, and no comment'),
    ('/* C1 acquire, pairs with P1: sees the element. */', '', 'labels here: none'),
    ('C1 acquire, pairs', 'C1 release, pairs', 'orders here: acquire; labels here: release'),
    ('C1 acquire, pairs with P1: sees', 'C1 acquire, pairs with P1', 'outside the grammar'),
    ('C1 acquire, pairs with P1', 'C1 acquire, pairs with P7', 'P7, which does not exist'),
    ('C1 acquire, pairs with P1', 'C1 acquire, pairs with other:P1', 'which does not exist'),
    ('C1,\n\t * C2:', 'C2:', 'which does not name C1 back'),
    ('/* C2 acq_rel', '/* C1 acq_rel', 'label C1 stands already'),
    ('&queue->turn, &mine, 0, memory_order_acq_rel', '&queue->turn, &mine, 0, memory_order_relaxed',
     'label C2 is at no call of its order'),
    ('memory_order_acquire))', 'order))', 'is not a constant'),
    ('static int pop', '#define LOAD(x) atomic_load_explicit(x, memory_order_relaxed)\nint pop',
     'inside a macro'),
    ('memory_order_release);', 'memory_order_acquire);', 'orders here: acquire'),
]


def self_test(tap):
    def complaints(text):
        return sum(check([Source('thing.c', text)]).values(), [])
    tap.point('self-test: a good file is accepted', complaints(GOOD))
    two_releases = GOOD.replace('acquire', 'release').replace('acq_rel', 'release')
    for good, bad, wanted in BAD + [(GOOD, two_releases, 'none of its partners is acquire')]:
        assert good in GOOD, good
        found = complaints(GOOD.replace(good, bad, 1))
        tap.point(f'self-test: {wanted}', [] if any(wanted in line for line in found) else
                  ['no such complaint; these came:'] + found)


def main():
    tap = Tap()
    if sys.argv[1] == '--self-test':
        self_test(tap)
        return tap.finish()
    paths = [path for path in tree_files(sys.argv[1], ('.c', '.h'))
             if path.split('/')[0] in LIBRARY_ROOMS]
    for name, complaints in check([Source(path, read(sys.argv[1], path))
                                   for path in paths]).items():
        tap.point(f'memory orders of {name}', complaints)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
