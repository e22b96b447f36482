#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# lint.sh BUILD: what `./run lint` does, from the root of the tree. BUILD is configured with clang;
# clang-tidy follows its compile_commands.json. Every tool runs, whatever the others found.
# shellcheck disable=SC2317  # step calls the functions by their names
set -u
build=$1
failed=0

# step NAME COMMAND...: the command's output is shown only when it fails.
step() {
    name=$1
    shift
    if output=$("$@" 2>&1); then
        printf '%-14s ok\n' "$name"
    else
        printf '%s\n%-14s FAILED\n' "$output" "$name"
        failed=1
    fi
}

# sources PATTERN...: the files of the tree with such names, as arguments of xargs.
sources() {
    find . \( -path './build*' -o -path './.git' \) -prune -o -type f \( "$@" \) -print0
}

format() {
    sources -name '*.c' -o -name '*.h' -o -name '*.cc' |
        xargs -0 clang-format --dry-run -Werror
}

shell() {
    sources -name '*.sh' -o -name run | xargs -0 shellcheck
}

version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)
step clang-format format
step shellcheck shell
step style tests/check/tree_style.py . "$version"
step includes tests/check/include_direction.py . "$build"
step labels tests/check/memory_order_labels.py .
step clang-tidy run-clang-tidy -quiet -p "$build"
exit $failed
