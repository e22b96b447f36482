#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test_gdb.sh SCRIPT SUBJECT: gdb's `weft tasks` finds the suspended tasks of SUBJECT, each with the
# functions that it waits in. Skipped where gdb is missing, or may not run programs.
set -euo pipefail
script=$1 subject=$2 number=0 failed=0

skip() {
    printf '1..0 # SKIP %s\n' "$1"
    exit 0
}

# has TEXT WHAT: a test point: gdb has printed a line with this.
has() {
    number=$((number + 1))
    if grep -Eq -- "$1" <<<"$printed"; then
        printf 'ok %d - %s\n' "$number" "$2"
    else
        printf 'not ok %d - %s\n' "$number" "$2"
        printf '# %s\n' "${printed//$'\n'/$'\n# '}"
        failed=1
    fi
}

command -v gdb >/dev/null || skip 'there is no gdb'
printed=$(timeout 60 gdb -nx -batch -ex run -ex "source $script" -ex 'weft tasks' "$subject" \
    </dev/null 2>&1) || true
grep -q SIGTRAP <<<"$printed" || skip 'gdb cannot run the program'
has '^3 suspended$' 'all suspended tasks are found'
has '^task 0x[0-9a-f]+ on worker 0 waits:$' 'each is named'
has ' wait_as_first ' 'the first one, on the thread'"'"'s own stack'
has ' wait_as_second ' 'the second one, on a stack of its own'
has ' wait_for_the_token ' 'with the functions in between'
has ' wait_for_the_word ' 'the third one'
has ' weft_worker_loop_ ' 'down to the loop of the worker'
printf '1..%d\n' "$number"
exit "$failed"
