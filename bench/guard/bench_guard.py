#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench_guard.py PROGRAM FIGURES COMPILER [--write]: counts the instructions of the hot paths under
valgrind, which repeats to the last one, and compares them with the committed figures. More than 3 %
above them fails; --write writes what is counted. The figures are those of one compiler, and of
processors for which the C library chooses the same functions; with any other there is nothing to
compare, and that is said. The last line is the verdict."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ALLOWED = 0.03


def count(program):
    """The instructions of one execution of each path, with those of all that it calls."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, 'callgrind.out')
        run = subprocess.run(
            ['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}', '--compress-strings=no',
             '--compress-pos=no', program], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f'bench_guard: {program} under valgrind: {run.stderr}')
        times = int(run.stdout)
        with open(out, encoding='utf-8') as file:
            return {name: total / times for name, total in inclusive(file).items()}


def processor():
    """What the C library goes by. That is not this processor: valgrind shows one of its own making,
    which has AVX2 where this one has it, and nothing newer. So the figures are the same on all that
    have it: counted on Intel's family 6, model 207 and AMD's family 25, model 1, they agree."""
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        flags = re.search(r'^flags\s*: (.*)', file.read(), re.M)
    return 'with AVX2' if flags and 'avx2' in flags[1].split() else 'without AVX2'


def inclusive(lines):
    """For each path_ function the instructions of itself and of its calls."""
    totals, current = {}, None
    for line in lines:
        if line.startswith('fn='):
            # The cold parts that the compiler sets apart count as called.
            path = re.fullmatch(r'path_(\w*[a-z])', line[3:].strip())
            current = path and path[1]
        # Of the lines with numbers those after `calls=` have the cost of the calls.
        elif current and re.match(r'[+\-*\d]', line):
            totals[current] = totals.get(current, 0) + int(line.split()[1])
    return totals


def read(figures):
    """The compiler of the figures, and each of them."""
    compiler, known = None, {}
    with open(figures, encoding='utf-8') as file:
        for line in file:
            if line.startswith('# compiler: '):
                compiler = line[12:].strip()
            elif line.strip() and not line.startswith('#'):
                name, instructions = line.split()
                known[name] = float(instructions)
    return compiler, known


def write(figures, compiler, counted):
    with open(figures, 'w', encoding='utf-8') as file:
        file.write('# SPDX-License-Identifier: Apache-2.0\n'
                   '# Instructions of one push and pop, or of what the name says: hot_paths.c.\n'
                   '# `./run bench-guard --write` writes them anew, when a change is meant.\n'
                   f'# compiler: {compiler}\n')
        file.writelines(f'{name} {counted[name]:.1f}\n' for name in sorted(counted))


def verdicts(counted, known):
    """A line for each path, and how many of them fail."""
    bad = 0
    for name in sorted(counted.keys() | known.keys()):
        if name not in known or name not in counted:
            bad += 1
            yield f'{name:22} is only {"counted" if name in counted else "in the figures"}', bad
            continue
        change = counted[name] / known[name] - 1
        bad += change > ALLOWED
        word = 'MORE' if change > ALLOWED else 'less' if change < -ALLOWED else ''
        yield f'{name:22}{counted[name]:8.1f}{known[name]:8.1f}{change:+8.1%}  {word}', bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('figures')
    parser.add_argument('compiler')
    parser.add_argument('--write', action='store_true')
    arguments = parser.parse_args()
    if shutil.which('valgrind') is None:
        print('bench_guard: no valgrind: apt-get install valgrind')
        return 77  # skipped
    compiler, known = read(arguments.figures)
    here = f'{arguments.compiler}, {processor()}'
    if compiler != here and not arguments.write:
        print(f'bench_guard: the figures are those of {compiler}, this is {here}')
        return 77
    counted = count(arguments.program)
    if arguments.write:
        write(arguments.figures, here, counted)
    bad = 0
    print(f'{"instructions":22}{"now":>8}{"known":>8}')
    for line, bad in verdicts(counted, known):
        print(line)
    if arguments.write:
        print(f'written: {len(counted)} figures')
        return 0
    print(f'{bad} of {len(counted)} hot paths take over {ALLOWED:.0%} more instructions')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
