#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_bench_guard.py ROOT: what bench_guard.py makes of the instructions that valgrind counts,
which is a stand-in here: over 3 % more of one path fail, less does not, and what it cannot compare
it skips."""
import os
import subprocess
import sys
import tempfile

from c_source import Tap

# Two executions of each path; `alpha` calls something.
VALGRIND = '''#!/bin/sh
for word; do case $word in --callgrind-out-file=*) out=${word#*=} ;; esac; done
cat >"$out" <<END
fn=path_alpha
16 150
calls=2 30
+3 50
fn=other
20 7000
fn=path_beta.cold
30 20
fn=path_beta
+1 180
calls=1 30
+1 20
END
echo 2
'''
COMPILER = 'cc 1'


class Guard:
    """Calls bench_guard.py on figures of one folder, in which valgrind is."""

    def __init__(self, root, folder):
        self.program = os.path.join(root, 'bench', 'guard', 'bench_guard.py')
        self.figures, self.folder = os.path.join(folder, 'figures.txt'), folder
        path = os.path.join(folder, 'valgrind')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(VALGRIND)
        os.chmod(path, 0o755)

    def call(self, *options, compiler=COMPILER):
        return subprocess.run(
            [sys.executable, self.program, '/bin/true', self.figures, compiler, *options],
            capture_output=True, text=True, check=False,
            env={**os.environ, 'PATH': f'{self.folder}:{os.environ["PATH"]}'})

    def known(self, **instructions):
        """Makes these the figures, below the head that is there."""
        with open(self.figures, encoding='utf-8') as file:
            head = [line for line in file if line.startswith('#')]
        with open(self.figures, 'w', encoding='utf-8') as file:
            file.writelines(head + [f'{name} {of_it}\n' for name, of_it in instructions.items()])


def ended(result, status, *words):
    problems = [f'not there: {word}' for word in words if word not in result.stdout]
    if result.returncode != status:
        problems.append(f'exit status {result.returncode}, not {status}')
    return problems + ([result.stdout, result.stderr] if problems else [])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        guard = Guard(sys.argv[1], folder)
        with open(guard.figures, 'w', encoding='utf-8'):
            pass
        tap.point('figures are written', ended(guard.call('--write'), 0, '2 figures'))
        with open(guard.figures, encoding='utf-8') as file:
            lines = [line.strip() for line in file if not line.startswith('#')]
        tap.point('with what a path calls, for one execution', [] if
                  lines == ['alpha 100.0', 'beta 100.0'] else lines)
        tap.point('the same passes', ended(guard.call(), 0, '0 of 2 hot paths'))
        guard.known(alpha=100, beta=97.0)
        tap.point('3.1 % more of one fail', ended(guard.call(), 1, '+3.1%  MORE', '1 of 2 hot'))
        guard.known(alpha=100, beta=97.2)
        tap.point('2.9 % do not', ended(guard.call(), 0, '0 of 2 hot paths'))
        guard.known(alpha=100, beta=120)
        tap.point('nor do fewer', ended(guard.call(), 0, '-16.7%  less', '0 of 2 hot paths'))
        guard.known(alpha=100)
        tap.point('a path without a figure fails', ended(guard.call(), 1, 'only counted'))
        guard.known(alpha=100, beta=100, gamma=100)
        tap.point('so does a figure without a path', ended(guard.call(), 1, 'only in the figures'))
        tap.point('with another compiler there is nothing to compare', ended(
            guard.call(compiler='cc 2'), 77, 'the figures are those of cc 1'))
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
