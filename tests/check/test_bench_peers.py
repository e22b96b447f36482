#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_bench_peers.py ROOT BUILD: what bench/peer/meson.build makes of the peers of a machine: one
whose library is not there and one whose adapter does not compile are left out, the others are
built, and the program names them all. The machine is made up: an empty header of each, which is
found first, and no file of pkg-config. Adapters are empty, too, but for the one that does not
compile."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from c_source import Tap

PROJECT = '''project('peers', 'cpp', default_options: ['cpp_std=c++20'], version: '1')
cxx = meson.get_compiler('cpp')
urcu_dep = []
bench_includes = include_directories('.', '{root}/bench', '{build}/include')
subdir('peer')
executable('names', 'names.cc', 'peer/peer_list.cc', include_directories: bench_includes,
    link_with: peer_libraries)
'''
NAMES = '''#include <cstdio>
#include "peer/peer_list.h"
int main()
{
	bench::add_peers();
	std::puts(bench::peers().c_str());
}
'''
EMPTY = 'namespace bench\n{{\nvoid add_peer_{}() {{}}\n}}\n'
AS_THEY_ARE = ('meson.build', 'peers_built.inc.in', 'peer_list.cc', 'peer_list.h', 'thread_pool.cc')


def write(folder, name, content):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(content)


def make_project(root, build, folder):
    write(folder, 'meson.build', PROJECT.format(root=root, build=build))
    write(folder, 'meson_options.txt', "option('peers', type: 'feature', value: 'auto')\n")
    write(folder, 'names.cc', NAMES)
    for name in os.listdir(os.path.join(root, 'bench', 'peer')):
        if name in AS_THEY_ARE:
            shutil.copy(os.path.join(root, 'bench', 'peer', name), os.path.join(folder, 'peer'))
        elif name.endswith('.cc'):
            write(folder, f'peer/{name}', EMPTY.format(name[:-3]))
    with open(os.path.join(folder, 'peer', 'meson.build'), encoding='utf-8') as file:
        for name in re.findall(r"'([\w/]+\.h(?:pp)?)'", file.read()):
            write(folder, f'headers/{name}', '')


def main():
    root, build = sys.argv[1:]
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, 'peer'))
        make_project(root, build, folder)
        environment = {**os.environ, 'CXX': 'g++', 'PKG_CONFIG_LIBDIR': folder,
                       'CPATH': os.path.join(folder, 'headers')}
        made = os.path.join(folder, 'build')
        said, failed = '', []
        for command in (['meson', 'setup', made, folder], ['ninja', '-C', made, 'names'],
                        [os.path.join(made, 'names')]):
            result = subprocess.run(command, capture_output=True, text=True, check=False,
                                    env=environment)
            said += result.stdout
            if result.returncode != 0:
                failed = [result.stdout, result.stderr]
                break
        tap.point('with a peer that does not compile the others are built', failed)
        names, _, left_out = said.strip().split('\n')[-1].partition('; left out: ')
        tap.point('one that is there is named', [] if 'libreaderwriterqueue-dev' in names
                  else [names])
        tap.point('so is one whose library is not there', [] if
                  'libuv1-dev (not there)' in left_out and 'libuv1' not in names else [left_out])
        broken = [part for part in left_out.split(', ') if part.startswith('libthread-pool-dev')]
        tap.point('so is one whose adapter does not compile, and building it warns', [] if
                  len(broken) == 1 and broken[0].endswith('(its adapter does not compile)') and
                  'libthread-pool-dev' not in names and
                  'WARNING: thread_pool: its adapter does not compile' in said
                  else [left_out, said])
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
