#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tree_style.py ROOT VERSION: what clang-format does not see. Sizes, names, guards, licences,
white space, paths of a machine, documented functions, one version everywhere."""
import os
import re
import sys

from c_source import LIBRARY_ROOMS, Source, Tap, read, tree_files

C_FILES = ('.c', '.h', '.cc')
SCRIPTS = ('.py', '.sh')
COLUMNS, FILE_LINES, FUNCTION_LINES = 100, 800, 60
SPDX = 'SPDX-License-Identifier: Apache-2.0'
SAME_NAME = ('meson.build', 'README.md', '.clang-tidy')
MACHINE_PATH = re.compile(r'(?<![\w.}$])/(?:home|root|work|Users)/\w')


def is_script(path):
    return path.endswith(SCRIPTS) or os.path.basename(path) == 'run'


def spdx(path, text):
    lines = text.split('\n')
    first = lines[1] if lines[0].startswith('#!') and len(lines) > 1 else lines[0]
    if first not in (f'/* {SPDX} */', f'# {SPDX}'):
        yield f'{path}: does not begin with {SPDX}'


def guard(path, text):
    folders, name = os.path.split(re.sub(r'[^\w/]', '_', path).upper())
    room = folders.split('/')[0]
    guards = ['_'.join(filter(None, ['WEFT', *folder.split('/'), name]))
              for folder in (room, folders)]
    lines = text.rstrip('\n').split('\n')
    if [lines[1], lines[2], lines[-1]] not in [[f'#ifndef {name}', f'#define {name}', '#endif']
                                               for name in guards]:
        yield f'{path}: not guarded by {guards[0]} from its second line to its last'


def columns(path, text):
    for number, line in enumerate(text.split('\n'), 1):
        if len(line.expandtabs(8)) > COLUMNS:
            yield f'{path}:{number}: {len(line.expandtabs(8))} columns'


def white_space(path, text):
    if text and not text.endswith('\n'):
        yield f'{path}: no newline at the end'
    for number, line in enumerate(text.split('\n'), 1):
        if line != line.rstrip():
            yield f'{path}:{number}: white space at the end of the line'


def file_lines(path, text):
    if text.count('\n') > FILE_LINES:
        yield f'{path}: {text.count(chr(10))} lines'


def function_lines(path, text):
    source = Source(path, text)
    for function in source.functions:
        lines = source.line(function.end - 1) - source.line(function.first) + 1
        if lines > FUNCTION_LINES:
            yield f'{source.place(function.first)}: {function.name} has {lines} lines'


def machine_paths(path, text):
    for number, line in enumerate(text.split('\n'), 1):
        if MACHINE_PATH.search(line):
            yield f'{path}:{number}: a path of one machine'


def documented(path, text):
    """Every public function of a header says above it which threads may call it."""
    source = Source(path, text)
    said = -1  # the line of the last declaration that is documented; those below it share that
    for match in re.finditer(r'^(?:WEFT_API|WEFT_INLINE|static inline)\b[^;{]*?\b(weft_\w+)\(',
                             source.code, re.MULTILINE):
        name, line = match.group(1), source.line(match.start())
        statement = source.statement(match.start())
        above = [comment.text for comment in source.comments_of(statement)
                 if comment.end <= match.start()]
        if any('Threads:' in text for text in above) or (line == said + 1 and not above):
            said = source.line(statement.end)
        elif not name.endswith('_'):
            yield f'{source.place(match.start())}: {name} does not say "Threads:" above it'


def unique_names(paths):
    seen = {}
    for path in (path for path in paths if not path.startswith('.')):
        name = os.path.basename(path)
        if name not in SAME_NAME and name in seen:
            yield f'{path}: this name is taken by {seen[name]}'
        seen[name] = path
        if path.endswith(C_FILES + SCRIPTS) and not re.fullmatch(r'[a-z][a-z0-9_]*\.\w+', name):
            yield f'{path}: not snake_case'


def one_version(root, version):
    base = read(root, 'lockfree/base.h')
    if f'"{version}"' not in re.findall(r'#define WEFT_VERSION +(\S+)', base):
        yield f'lockfree/base.h: WEFT_VERSION is not "{version}", the version in meson.build'
    numbers = [re.search(rf'#define WEFT_VERSION_{part} +(\d+)', base).group(1)
               for part in ('MAJOR', 'MINOR', 'PATCH')]
    if '.'.join(numbers) != version:
        yield f'lockfree/base.h: WEFT_VERSION_MAJOR, _MINOR, _PATCH are not {version}'
    entry = re.search(r'^## \[([^]]+)\]', read(root, 'CHANGELOG.md'), re.MULTILINE)
    if entry is None or entry.group(1) != version:
        yield f'CHANGELOG.md: the top entry is not [{version}]'


def main():
    root, version = sys.argv[1:]
    tap = Tap()
    texts = {path: read(root, path) for path in tree_files(root)}
    c_files = [path for path in texts if path.endswith(C_FILES)]
    code = c_files + [path for path in texts if is_script(path)]
    headers = [path for path in c_files if path.endswith('.h')]

    def point(name, rule, paths):
        tap.point(name, [complaint for path in paths for complaint in rule(path, texts[path])])

    point('licence line first', spdx, code)
    point('include guards', guard, headers)
    point(f'at most {COLUMNS} columns', columns, code)
    point('no stray white space', white_space, [path for path in texts if path != 'LICENSE'])
    point(f'files of at most {FILE_LINES} lines', file_lines, code)
    point(f'functions of at most {FUNCTION_LINES} lines', function_lines, c_files)
    point('no paths of one machine', machine_paths, texts)
    point('public functions say who may call them', documented,
          [path for path in headers if path.split('/')[0] in LIBRARY_ROOMS])
    tap.point('unique names', list(unique_names(texts)))
    tap.point('one version everywhere', list(one_version(root, version)))
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
