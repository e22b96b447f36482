#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_weft_bench.py WEFT: `weft bench`, as its users call it. Every benchmark runs for a moment
and its own checks find nothing wrong; table and JSON have them all; bad arguments are refused."""
import ctypes
import fcntl
import json
import os
import platform
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from c_source import Tap

STRUCTURES = ['mpmc_queue', 'mpmc_lockfree', 'mpmc_unbounded', 'mpsc_queue', 'spsc_queue',
              'stack', 'deque', 'priority_queue', 'multiqueue', 'counter', 'gauge', 'histogram',
              'rcu_ptr', 'seqlock', 'object_pool', 'park', 'eventcount', 'pool', 'future', 'strand',
              'forkjoin', 'fiber', 'timer']
CONTEXT = ['compiler', 'cpu', 'flags', 'peers', 'pinned', 'plan', 'weft']
BRIEF = ['--run-ms', '1', '--repetitions', '1']


def one_cpu():
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


class Filter(ctypes.Structure):
    """An instruction of a filter of system calls: struct sock_filter."""
    _fields_ = [('code', ctypes.c_uint16), ('if_true', ctypes.c_uint8),
                ('if_false', ctypes.c_uint8), ('value', ctypes.c_uint32)]


class Program(ctypes.Structure):
    """struct sock_fprog"""
    _fields_ = [('count', ctypes.c_ushort), ('filters', ctypes.POINTER(Filter))]


def no_binding():
    """From here on the system does not let this process bind threads, as some sandboxes do."""
    number = {'x86_64': 203, 'aarch64': 122}[platform.machine()]  # of sched_setaffinity
    filters = (Filter * 4)(Filter(0x20, 0, 0, 0),  # load the number of the call
                           Filter(0x15, 0, 1, number),  # another one: over the next
                           Filter(0x06, 0, 0, 0x50001),  # it fails, by EPERM
                           Filter(0x06, 0, 0, 0x7fff0000))  # it is made
    call = ctypes.CDLL(None, use_errno=True).prctl
    if call(38, 1, 0, 0, 0) != 0 or call(22, 2, ctypes.byref(Program(4, filters)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'no filter of system calls')


class Call:
    """One call of weft bench: what it printed and how it ended. `before` is called first, in its
    process."""

    def __init__(self, weft, *arguments, environment=None, before=None):
        result = subprocess.run(
            [weft, 'bench', *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, **(environment or {})}, preexec_fn=before)
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
    # "  scenario  1.23 ns  baseline  4.56 ns  3.71x ...", or "  load_80 p50  1.23 ns  at 4.56 M/s"
    empty = [f'no figure, or no ratio: {row}' for row in rows if ' - ' in row or
             not re.search(r' at [0-9.]+ M/s$' if row.startswith('  load_') else '[0-9]x', row)]
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
        elif len(kept) != 1 or kept[0]['real_time'] <= 0:
            problems.append(f'{name}: {kept}')
    return problems


def shared_by_files(program):
    """Functions of a file's own (of its unnamed namespace) that the linker may merge with those of
    another file, which then measures something else than its name says."""
    symbols = subprocess.run(['nm', '-C', program], capture_output=True, text=True, check=True)
    return [line for line in symbols.stdout.split('\n')
            if re.search(r' [WVu] .*\(anonymous namespace\)', line)]


def round_of(pid):
    """The process that measures for this one, or None."""
    for entry in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{entry}/stat', encoding='utf-8', errors='replace') as file:
                state, parent = file.read().rpartition(')')[2].split()[:2]
            with open(f'/proc/{entry}/cmdline', encoding='utf-8', errors='replace') as file:
                measures = '--round' in file.read().split('\0')
        except OSError:
            continue
        if int(parent) == pid and measures and state != 'Z':
            return int(entry)
    return None


def wait_until(condition):
    """What the condition comes to, which is true within a minute or never."""
    end = time.monotonic() + 60
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.005)
    return result


def is_measured(path):
    """Whether there is a first figure in the JSON."""
    try:
        with open(path, encoding='utf-8') as file:
            return '"park/' in file.read()
    except FileNotFoundError:
        return False


def begun(weft, path, *arguments):
    """A run whose first figure is there; it was begun so that it ends with this program."""
    run = subprocess.Popen([weft, 'bench', '--json', path, '--run-ms', '100', *arguments],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: run.poll() is not None or is_measured(path))
    return run


def check_killed(tap, weft, folder):
    """A round that is killed costs its own figures, and the rest of the run none."""
    path = os.path.join(folder, 'round.json')
    run = begun(weft, path, '--repetitions', '3', '^park/uncontended')
    os.kill(wait_until(lambda: round_of(run.pid)), signal.SIGKILL)
    out, err = run.communicate(timeout=60)
    problems = [] if run.returncode == 1 else [f'status {run.returncode}']
    with open(path, encoding='utf-8') as file:
        runs = [one for one in json.load(file)['benchmarks'] if one['name'].startswith('park/')]
    wrong = [one for one in runs if one.get('error_occurred')]
    if len(wrong) != 1 or 'Killed' not in wrong[0]['error_message']:
        problems.append(f'in the JSON: {wrong}')
    if len(runs) - len(wrong) < 4:
        problems.append(f'{len(runs)} measurements were kept')
    problems += [f'not there: {word}' for word, said in (
        ('ended by a signal: Killed', err), ('uncontended', out)) if word not in said]
    tap.point('when a round is killed the others go on, and it says so', problems)
    # The run itself: what it had is there (test_bench_report reads it), and nothing goes on.
    path = os.path.join(folder, 'run.json')
    run = begun(weft, path, '--repetitions', '100', '^park/uncontended')
    measures = wait_until(lambda: round_of(run.pid))
    run.kill()
    run.communicate(timeout=60)
    tap.point('when the run is killed its round ends as well', [] if wait_until(
        lambda: not os.path.exists(f'/proc/{measures}')) else [f'process {measures} goes on'])


def on_terminal(weft, columns, *arguments):
    """What it shows on a terminal of so many columns, and its exit status."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack('4H', 24, columns, 0, 0))
    with subprocess.Popen([weft, 'bench', *arguments], stdout=subprocess.DEVNULL,
                          stderr=its) as run:
        os.close(its)
        shown = b''
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # the last one who had it open has ended
            pass
    os.close(ours)
    return shown.decode(), run.returncode


def check_terminal(tap, weft):
    shown, status = on_terminal(weft, 60, '--run-ms', '2', '--repetitions', '2',
                                '^mpmc_queue/(1P1C|uncontended)')
    lines = shown.split('\r\x1b[K')
    tap.point('a terminal shows a bar, how much is done, the time left and what is measured', [] if
              status == 0 and any(re.fullmatch(r'\[#{5,} +\] +\d+ % \d+:\d\d left  mpmc_q.*',
                                               line) for line in lines) else [status, *lines])
    tap.point('the bar is no wider than the terminal, and goes away at the end', [
        line for line in lines if len(line) >= 60] + (
        [] if lines[-1] == '' and '\n' not in shown else [shown]))


def check_unwritable(tap, weft, folder):
    tap.point('a JSON file that cannot be written ends it before it measures', Call(
        weft, '--json', os.path.join(folder, 'no', 'such')).ended(1, 'cannot write'))
    tap.point('so does one that is a folder', Call(weft, '--json', folder).ended(
        1, 'cannot write', 'directory'))
    if not os.access('/dev/full', os.W_OK):
        tap.skip('a disk that is full is said', 'no /dev/full')
        return
    call = Call(weft, *BRIEF, '--json', '/dev/full', '^park/uncontended')
    tap.point('of what no file can take there is the table, and it says so', [] if
              call.status == 1 and call.err == 'weft bench: cannot write all of /dev/full\n' and
              'uncontended' in call.out else [call.status, call.out, call.err])
    with open('/dev/full', 'w', encoding='utf-8') as full:
        status = subprocess.run([weft, 'bench', *BRIEF, '^park/uncontended'], stdout=full,
                                stderr=subprocess.DEVNULL, check=False).returncode
    tap.point('a table that cannot be written is an error', [] if status == 1 else [status])


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
        everything = Call(weft, '--peers', '--json', path, *BRIEF)
        tap.point('every benchmark runs and is right', everything.ended(0))
        tap.point('the table has every structure', complaints_about_table(everything.out))
        tap.point('the JSON has every benchmark', complaints_about_json(path, names))
        with open(path, encoding='utf-8') as file:
            peers = json.load(file)['context']['peers']
        tap.point('the adapters of all peers that are there compile',
                  [peers] if 'does not compile' in peers else [])
        check_killed(tap, weft, folder)
        check_unwritable(tap, weft, folder)
    check_terminal(tap, weft)
    tap.point('a filter chooses', [] if all('park/' in name for name in Call(
        weft, '--list', '^park/').out.split()) else ['others are listed'])
    tap.point('a filter that matches nothing is refused',
              Call(weft, 'no_such_thing').ended(2, 'matches'))
    tap.point('a filter that is no expression is refused',
              Call(weft, '(').ended(2, 'not a regular expression'))
    for wrong in ['--fast'], ['--json'], ['--run-ms', '0'], ['--repetitions', 'many'], \
            ['--json', 'old', '--baseline', 'old']:
        tap.point(f'{" ".join(wrong)} is refused', Call(weft, *wrong).ended(2, wrong[0]))
    tap.point('one CPU is enough, and it says so', Call(
        weft, *BRIEF, 'pool/.*spin', '1P1C/weft', before=one_cpu).ended(0, 'only one CPU'))
    name = 'without leave to pin threads it goes on, and says so'
    try:
        tap.point(name, Call(weft, *BRIEF, 'pool/', '1P1C/weft', before=no_binding).ended(
            0, 'not pinned (Operation not permitted)'))
    except subprocess.SubprocessError:
        tap.skip(name, 'no filters of system calls')
    # Threads cannot be bound to the CPUs of a machine that is made up.
    tap.point('on a machine whose CPUs are not there it does so, too', Call(
        weft, *BRIEF, 'pool/.*spin', '1P1C/weft', environment={'HWLOC_SYNTHETIC': 'core:2 pu:1'}
    ).ended(0, 'not pinned'))
    tap.point('no file measures what another has defined', shared_by_files(
        os.path.join(os.path.dirname(weft), '..', 'bench', 'weft-bench')))
    tap.point('a benchmark program that is not there is named', Call(
        weft, environment={'WEFT_BENCH_PROGRAM': '/no/such'}).ended(1, '/no/such'))
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
