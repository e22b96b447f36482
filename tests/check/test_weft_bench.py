#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_weft_bench.py WEFT: `weft bench`, as its users call it. Every benchmark runs for a moment
and its own checks find nothing wrong; table and JSON have them all; bad arguments are refused."""
import json
import os
import subprocess
import sys
import tempfile

from c_source import Tap

STRUCTURES = ['mpmc_queue', 'mpmc_lockfree', 'mpmc_unbounded', 'mpsc_queue', 'spsc_queue',
              'stack', 'deque', 'priority_queue', 'multiqueue', 'counter', 'gauge', 'histogram',
              'rcu_ptr', 'seqlock', 'object_pool', 'park', 'eventcount', 'pool', 'forkjoin',
              'fiber']
CONTEXT = ['compiler', 'cpu', 'flags', 'peers', 'pinned', 'plan', 'weft']
BRIEF = ['--run-ms', '1', '--repetitions', '2']


class Call:
    """One call of weft bench: what it printed and how it ended."""

    def __init__(self, weft, *arguments, environment=None, cpus=None):
        result = subprocess.run(
            [weft, 'bench', *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, **(environment or {})},
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)
        self.status, self.out, self.err = result.returncode, result.stdout, result.stderr

    def ended(self, status, *words):
        """Complaints, unless it has this status and says these words: on standard output when it
        worked, else in one line of standard error."""
        said = self.err if status else self.out
        problems = [f'not there: {word}' for word in words if word not in said]
        if self.status != status:
            problems.append(f'exit status {self.status}, not {status}')
        if (self.err.count('\n'), bool(self.err)) != (1 if status else 0, status != 0):
            problems.append('standard error is not as it should be')
        return problems + ([self.out, self.err] if problems else [])


def rows_of(out):
    """The rows of the table, and the structures that stand above them."""
    lines = out.split('\n')
    table = lines[lines.index('') + 2:]
    return [line for line in table if line.startswith('  ')], \
        [line for line in table if line and not line.startswith(' ')]


def complaints_about_table(out):
    rows, structures = rows_of(out)
    wide = [f'{len(line)} columns: {line}' for line in out.split('\n') if len(line) > 100]
    # "  scenario  1.23 ns  baseline  4.56 ns  3.71x ..."
    empty = [f'no figure or ratio: {row}' for row in rows if ' - ' in row or 'x' not in row]
    return wide + empty + ([] if structures == STRUCTURES else [f'structures: {structures}'])


def complaints_about_json(path, names):
    with open(path, encoding='utf-8') as file:
        content = json.load(file)
    runs = {name: [] for name in names}
    for run in content['benchmarks']:
        if run['run_type'] == 'iteration' and run['label'] != 'noise':
            runs.setdefault(run['name'], []).append(run)
    problems = [f'context: no {key}' for key in CONTEXT if not content['context'].get(key)]
    if content['context']['executable'] != 'weft-bench':
        problems.append(f"executable: {content['context']['executable']}")
    for name, kept in runs.items():
        if name not in names:
            problems.append(f'{name}: not in the list')
        elif len(kept) != 2 or not all(run['real_time'] > 0 for run in kept):
            problems.append(f'{name}: {kept}')
    return problems


def main():
    weft = sys.argv[1]
    tap = Tap()
    listed = Call(weft, '--list', '--peers')
    names = listed.out.split()
    tap.point('--list names every structure', listed.ended(0) + [
        structure for structure in STRUCTURES
        if not any(name.startswith(structure + '/') and name.count('/') == 2 for name in names)])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'all.json')
        everything = Call(weft, '--short', '--peers', '--json', path, *BRIEF)
        tap.point('every benchmark runs and is right', everything.ended(0))
        tap.point('the table has every structure', complaints_about_table(everything.out))
        tap.point('the JSON has every benchmark', complaints_about_json(path, names))
        tap.point('a JSON file that cannot be written ends it before it measures', Call(
            weft, '--json', os.path.join(folder, 'no', 'such')).ended(1, 'cannot write'))
    tap.point('a filter chooses', [] if all('park/' in name for name in Call(
        weft, '--list', '^park/').out.split()) else ['others are listed'])
    tap.point('a filter that matches nothing is refused',
              Call(weft, 'no_such_thing').ended(2, 'matches'))
    tap.point('a filter that is no expression is refused',
              Call(weft, '(').ended(2, 'not a regular expression'))
    for wrong in ['--fast'], ['--json'], ['--run-ms', '0'], ['--repetitions', 'many']:
        tap.point(f'{" ".join(wrong)} is refused', Call(weft, *wrong).ended(2, wrong[0]))
    tap.point('one CPU is enough, and it says so', Call(
        weft, *BRIEF, 'pool/.*spin', '1P1C/weft', cpus=[min(os.sched_getaffinity(0))]
    ).ended(0, 'only one CPU'))
    # Threads cannot be bound to the CPUs of a machine that is made up.
    tap.point('without leave to pin threads it goes on, and says so', Call(
        weft, *BRIEF, 'pool/.*spin', '1P1C/weft', environment={'HWLOC_SYNTHETIC': 'core:2 pu:1'}
    ).ended(0, 'not pinned'))
    tap.point('a benchmark program that is not there is named', Call(
        weft, environment={'WEFT_BENCH_PROGRAM': '/no/such'}).ended(1, '/no/such'))
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
