#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""header_alone.py BUILD: every installed header compiles alone, and twice in a row, in each
language and with each compiler that weft promises, warnings being errors, and so does what its
typed wrappers make of an element; and C and C++ agree about the size and the alignment of every
public struct."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from c_source import Tap, installed_headers

WARNINGS = ['-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Wundef', '-pedantic', '-Werror']
COMPILERS = [('gcc', 'c'), ('clang', 'c'), ('g++', 'c++'), ('clang++', 'c++')]
STANDARDS = {'c': ['c11', 'c17', 'c2x'], 'c++': ['c++17', 'c++20', 'c++2b']}


def run(command, text):
    """The complaints of a command that reads text; none when it succeeds."""
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return [] if result.returncode == 0 else \
        [' '.join(command)] + (result.stdout + result.stderr).splitlines()[:20]


def compile_alone(include, header, compiler, language, standard):
    text = f'#include <{header}>\n' * 2 + 'struct element { int a; char b; };\n'
    with open(os.path.join(include, header), encoding='utf-8') as file:
        for wrapper in re.findall(r'^#define (WEFT_\w+_DEFINE)\(name, type\)', file.read(),
                                  re.MULTILINE):
            text += f'{wrapper}(typed_{wrapper.lower()}, struct element);\n'
    return run([compiler, f'-std={standard}', '-x', language, '-fsyntax-only', *WARNINGS,
                '-I', include, '-'], text)


def structs(include, headers):
    found = set()
    for header in headers:
        with open(os.path.join(include, header), encoding='utf-8') as file:
            found.update(re.findall(r'^(?:typedef )?((?:struct|union) weft_\w+)(?: WEFT_\w+)? \{',
                                    file.read(), re.MULTILINE))
    return sorted(found)


def layout(include, headers, types, compiler, language, folder):
    """What a program of this language says about the types, or the complaint it gave."""
    text = '#include <stdio.h>\n' + ''.join(f'#include <{header}>\n' for header in headers)
    text += '#ifndef __cplusplus\n#define alignof _Alignof\n#endif\nint main(void)\n{\n'
    for name in types:
        text += f'\tprintf("{name} %zu %zu\\n", sizeof({name}), alignof({name}));\n'
    program = os.path.join(folder, 'layout-' + compiler)
    failed = run([compiler, '-x', language, '-std=' + STANDARDS[language][0], '-I', include, '-',
                  '-o', program], text + '\treturn 0;\n}\n')
    return failed or subprocess.run([program], capture_output=True, text=True,
                                    check=True).stdout.splitlines()


def main():
    include = os.path.join(sys.argv[1], 'include')
    headers = sorted(installed_headers(sys.argv[1]))
    types = structs(include, headers)
    tap = Tap()
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        for compiler, language in COMPILERS:
            if shutil.which(compiler) is None:
                tap.skip(f'headers alone with {compiler}', 'not installed')
                continue
            jobs = [(header, standard,
                     workers.submit(compile_alone, include, header, compiler, language, standard))
                    for header in headers for standard in STANDARDS[language]]
            for header, standard, job in jobs:
                tap.point(f'<{header}> alone, {compiler} {standard}', job.result())
    with tempfile.TemporaryDirectory() as folder:
        said = {compiler: layout(include, headers, types, compiler, language, folder)
                for compiler, language in COMPILERS if shutil.which(compiler)}
    first = said.get('gcc', [])
    for compiler, lines in said.items():
        tap.point(f'layout of {len(types)} structs with {compiler} as with gcc',
                  [line for line in lines if line not in first] +
                  ([] if len(lines) == len(types) else [f'{len(lines)} answers']))
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
