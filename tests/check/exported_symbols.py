#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exported_symbols.py BUILD SOVERSION: the libraries define what the installed headers declare."""
import os
import re
import subprocess
import sys

from c_source import Source, Tap, installed_headers


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def declared(include):
    """The functions and variables marked WEFT_API in the installed headers."""
    names = set()
    for header in installed_headers(os.path.dirname(include)):
        with open(os.path.join(include, header), encoding='utf-8') as file:
            code = Source(header, file.read()).code
        for statement in re.findall(r'^WEFT_API\b([^;{]*)', code, re.MULTILINE):
            name = re.search(r'\b(weft_\w+)\s*\(', statement) or \
                re.search(r'(\w+)(?:\[[^]]*\])*\s*$', statement)
            names.add(name.group(1))
    return names


def main():
    build, soversion = sys.argv[1:]
    shared, archive = (os.path.join(build, 'libweft.' + ending) for ending in ('so', 'a'))
    exported = {line.split()[-1]
                for line in output('nm', '-D', '--defined-only', shared).splitlines()}
    in_archive = {line.split()[-1] for line in
                  output('nm', '-g', '--defined-only', archive).splitlines() if ' ' in line}
    wanted = declared(os.path.join(build, 'include'))
    soname = re.search(r'SONAME.*\[(.*)\]', output('readelf', '-d', shared))
    tap = Tap()
    tap.point('every WEFT_API declaration is exported', sorted(wanted - exported))
    tap.point('nothing else is exported', sorted(exported - wanted))
    tap.point('every global symbol of the archive begins with weft_',
              sorted(name for name in in_archive if not name.startswith('weft_')))
    tap.point('soname', [] if soname and soname.group(1) == f'libweft.so.{soversion}' else
              [f'{soname and soname.group(1)} in place of libweft.so.{soversion}'])
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
