#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""consumer.py ROOT BUILD VERSION: what a user of an installed weft does. Installs BUILD to a stage
and then compiles and runs programs with nothing but `pkg-config --cflags --libs weft`: in C, in
C++, against the archive, and the example of the README."""
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

from c_source import Tap, read

MARK = '<!-- example: compiled by the tests -->'
STRICT = ['-Wall', '-Wextra', '-Wconversion', '-Werror', '-pedantic']


def run(command, **options):
    """(complaints, standard output)"""
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60,
                            **options)
    if result.returncode == 0:
        return [], result.stdout
    return [shlex.join(command), f'exit status {result.returncode}', result.stdout,
            result.stderr], ''


def install(build, stage):
    """Installs into stage and moves the pkg-config file there, as a package at that place would
    have it. Returns complaints and the environment in which the stage is found."""
    failed, _ = run(['meson', 'install', '-C', build, '--no-rebuild', '--destdir', stage])
    found = glob.glob(os.path.join(stage, '**', 'weft.pc'), recursive=True)
    if failed or len(found) != 1:
        return failed or [f'{len(found)} files weft.pc'], {}
    with open(found[0], encoding='utf-8') as file:
        text = file.read()
    with open(found[0], 'w', encoding='utf-8') as file:
        file.write(re.sub(r'^prefix=', 'prefix=' + stage, text, flags=re.MULTILINE))
    folder = os.path.dirname(found[0])
    return [], {**os.environ, 'PKG_CONFIG_PATH': folder,
                'LD_LIBRARY_PATH': os.path.dirname(folder)}


def compile_and_run(compiler, source, program, environment, static=False):
    """Complaints, and what the program printed."""
    failed, flags = run(['pkg-config', '--cflags', '--libs', *(['--static'] if static else []),
                         'weft'], env=environment)
    flags = shlex.split(flags)
    if static:  # of weft; what it stands on comes from the system as ever
        flags = ['-l:libweft.a' if flag == '-lweft' else flag for flag in flags]
    failed = failed or run([*compiler, *STRICT, source, '-o', program, *flags])[0]
    if failed:
        return failed, ''
    if static and 'libweft' in run(['readelf', '-d', program])[1]:
        return ['needs the shared library all the same'], ''
    return run([program], env=environment)


def readme_example(root):
    """The C block behind the mark, or None."""
    if not os.path.exists(os.path.join(root, 'README.md')):
        return None
    found = re.search(re.escape(MARK) + r'\s*```c\n(.*?)^```', read(root, 'README.md'),
                      re.DOTALL | re.MULTILINE)
    return found and found.group(1)


def main():
    root, build, version = sys.argv[1:]
    here = os.path.join(root, 'tests', 'check')
    tap = Tap()
    with tempfile.TemporaryDirectory() as stage:
        failed, environment = install(build, stage)
        tap.point('meson install into a staging folder', failed)
        if failed:
            return tap.finish()

        def program(name, compiler, source, static=False):
            failed, said = compile_and_run(compiler, source, os.path.join(stage, name),
                                           environment, static)
            tap.point(name, failed or
                      ([] if version in said else [f'printed {said!r}, not {version}']))

        c_source = os.path.join(here, 'consumer_in_c.c')
        program('a program in C', ['gcc', '-std=c11'], c_source)
        program('a program in C, with the archive', ['gcc', '-std=c11'], c_source, static=True)
        program('a program in C++', ['g++', '-std=c++17'],
                os.path.join(here, 'consumer_in_cpp.cc'))

        commands = glob.glob(os.path.join(stage, '**', 'bin', 'weft'), recursive=True)
        failed, said = run([*commands, '--version'], env=environment) if commands else \
            (['bin/weft is not installed'], '')
        tap.point('the weft command', failed or ([] if version in said else [said]))

        text = readme_example(root)
        source = os.path.join(stage, 'readme_example.c')
        with open(source, 'w', encoding='utf-8') as file:
            file.write(text or '')
        tap.point('the example of the README', compile_and_run(
            ['gcc', '-std=c11'], source, os.path.join(stage, 'readme-example'), environment)[0]
            if text else [f'no ```c block behind {MARK}'])
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
