#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_weft_command.sh WEFT VERSION: the weft command, as its users call it. Prints TAP.
set -u
weft=$1
version=$2
number=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# check DESCRIPTION COMMAND...: the command must succeed.
check() {
    description=$1
    shift
    number=$((number + 1))
    if "$@" >"$folder/log" 2>&1; then
        echo "ok $number - $description"
    else
        echo "not ok $number - $description"
        head -n 20 "$folder/log" "$folder/err" "$folder/out" | cut -c -200 | sed 's/^/# /'
    fi
}

# call ARGUMENT...: calls weft; what it writes and its exit status are left in $folder.
call() {
    "$weft" "$@" >"$folder/out" 2>"$folder/err"
    echo $? >"$folder/status"
}

has_status() { [ "$(cat "$folder/status")" -eq "$1" ]; }
says() { grep -qe "$1" "$folder/out"; }
complains() { grep -qe "$1" "$folder/err"; }
is_quiet() { [ ! -s "$folder/$1" ]; }

worked() { has_status 0 && is_quiet err; }
# misused MESSAGE: one line on standard error, nothing on standard output.
misused() {
    has_status 2 && is_quiet out && [ "$(wc -l <"$folder/err")" -eq 1 ] && complains "$1"
}

# json EXPRESSION: the output is JSON, and the expression of Python over it, `o`, is true.
json() {
    python3 -m json.tool "$folder/out" /dev/null || return
    python3 - "$folder/out" "$1" <<'END'
import json, os, sys
o = json.load(open(sys.argv[1]))
sys.exit(0 if eval(f"({sys.argv[2]})", {"o": o, "os": os}) else sys.argv[2])
END
}

call --version
check '--version works' worked
check '--version is that of the project' says "^weft $version\$"

call --help
check '--help works' worked
check '--help names the commands' says '^  topo '

call
check 'no command at all is misuse' has_status 2
check 'no command at all gets the help on standard error' complains '^usage: weft COMMAND'
call weave
check 'an unknown command is misuse' misused "^weft: there is no command 'weave'"
call --weave
check 'an unknown option is misuse' misused "^weft: there is no option '--weave'"

call topo --help
check 'topo --help works' worked
check 'topo --help names the options' says '^  --synthetic '

call topo
check 'topo works' worked
check 'topo shows this machine' says '^this machine: '
check 'topo shows the plan' says '^plan one-per-core: '

call topo --json
check 'topo --json works' worked
check 'it has the CPUs that this process may use' json \
    'sorted(p["cpu"] for p in o["pus"]) == sorted(os.sched_getaffinity(0))'
check 'its members have the documented names' json \
    'list(o) == ["weft", "this_machine", "synthetic", "packages", "cores", "nodes", "caches",
                 "pus", "policy", "oversubscribed", "workers"]
     and list(o["nodes"][0]) == ["node", "memory_bytes"]
     and list(o["caches"][0]) == ["level", "size_bytes"]
     and list(o["pus"][0]) == ["cpu", "core", "cache", "node", "package", "sibling", "efficiency"]
     and list(o["workers"][0]) == ["cpu", "pu", "memory_node", "victims"]'
check 'it is of this machine and this version' json \
    "o['this_machine'] is True and o['synthetic'] is None and o['weft'] == '$version'"

one=$(python3 -c 'import os; print(max(os.sched_getaffinity(0)))')
taskset -c "$one" "$weft" topo --json >"$folder/out"
check 'under taskset there is one CPU' json "[p['cpu'] for p in o['pus']] == [$one]"

large='pack:2 numa:1 l3:8 core:8 pu:2'
call topo --json --synthetic "$large" --policy scatter --workers 200
check 'a made-up machine works' worked
check 'it has the counts of its description' json \
    'o["this_machine"] is False and o["synthetic"] == "pack:2 numa:1 l3:8 core:8 pu:2"
     and o["packages"] == 2 and o["cores"] == 128 and len(o["caches"]) == 16
     and len(o["nodes"]) == 2 and len(o["pus"]) == 256'
check 'the plan is the one asked for' json \
    'o["policy"] == "scatter" and len(o["workers"]) == 200 and not o["oversubscribed"]
     and [o["pus"][w["pu"]]["package"] for w in o["workers"][:4]] == [0, 1, 0, 1]'
check 'each worker may steal from every other' json \
    'all(sorted(w["victims"] + [i]) == list(range(200)) for i, w in enumerate(o["workers"]))'
check 'a worker is on the CPU of its PU, its memory on the node of it' json \
    'all(o["pus"][w["pu"]]["cpu"] == w["cpu"]
         and o["nodes"][o["pus"][w["pu"]]["node"]]["node"] == w["memory_node"]
         for w in o["workers"])'

call topo --synthetic "$large" --policy=one-per-pu
check 'a large machine in words works' worked
check 'it fits on a page' test "$(wc -l <"$folder/out")" -le 50
check 'it is shown in ranges' says 'cores 8-15 (2 CPUs each), CPUs 16-31$'
check 'it says how many workers it leaves out' says '240 more'

call topo --json --synthetic 'core:4 pu:2' --cpus 0-2,6 --policy compact --workers 5
check 'a list of CPUs is kept to' json '[w["cpu"] for w in o["workers"]] == [0, 1, 2, 6, 0]'
check 'workers that share a CPU are told of' json 'o["oversubscribed"]'
call topo --synthetic 'core:4 pu:2' --cpus 0-2,6 --policy compact --workers 5
check 'workers that share a CPU are told of in words' says 'several share a CPU'

# misuse EXPECTED ARGUMENT...
misuse() {
    expected=$1
    shift
    call topo "$@"
    check "misuse: topo $*" misused "^weft topo: .*$expected"
}
misuse "unrecognized option '--weave'" --weave
misuse "'here' is not an option" here
misuse 'requires an argument' --workers
misuse "not '0'" --workers 0
misuse "not '-1'" --workers -1
misuse "not ' 1'" --workers ' 1'
misuse "not '1x'" --workers 1x
misuse "not '4097'" --workers 4097
misuse "not '99999999999999999999'" --workers 99999999999999999999
misuse 'there are: one-per-core one-per-pu compact scatter' --policy tight
misuse "does not understand the machine 'nothing:1'" --synthetic nothing:1
misuse "the CPUs '0-' are not a list" --cpus 0-
misuse "the CPUs '7' are not a list" --synthetic pu:4 --cpus 7

if [ -w /dev/full ]; then
    "$weft" topo >/dev/full 2>"$folder/err"
    echo $? >"$folder/status"
    check 'output that cannot be written is a failure' has_status 1
    check 'and it is told of' complains 'cannot write'
fi
echo "1..$number"
