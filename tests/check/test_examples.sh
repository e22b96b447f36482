#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test_examples.sh EXAMPLES_BUILD: run every example, look at its exit status and what it prints.
# Nothing here depends on how fast or how large the machine is.
# shellcheck disable=SC2317  # point calls the functions by their names
set -u
build=$1
words=$(dirname "$0")/count_words.py
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out=$folder/out
err=$folder/err
points=0
failed=0

# call PROGRAM ARGUMENT...: leaves what it printed in $out and $err, and its exit status in $status.
call() {
    program=$1
    shift
    status=0
    timeout 120 "$build/$program" "$@" >"$out" 2>"$err" || status=$?
}

# point NAME COMMAND...: one line of TAP; ok when the command succeeds.
point() {
    name=$1
    shift
    points=$((points + 1))
    if "$@"; then
        printf 'ok %d - %s\n' "$points" "$name"
    else
        printf 'not ok %d - %s\n' "$points" "$name"
        printf '# exit status %s\n' "$status"
        sed 's/^/# out: /' "$out"
        sed 's/^/# err: /' "$err"
        failed=$((failed + 1))
    fi
}

# is STATUS [OUT_PATTERN [ERR_PATTERN]]: the last call ended so; the patterns are extended regular
# expressions, each for a whole line.
is() {
    [ "$status" -eq "$1" ] &&
        { [ -z "${2-}" ] || grep -Eqx "$2" "$out"; } &&
        { [ -z "${3-}" ] || grep -Eqx "$3" "$err"; }
}

# prints TEXT: the last call succeeded and printed exactly this.
prints() {
    [ "$status" -eq 0 ] && [ ! -s "$err" ] && [ "$(cat "$out")" = "$1" ]
}

short_programs() {
    call accounts
    point 'accounts' prints 'account 0: 25000 deposits, balance 312487500
account 1: 25000 deposits, balance 312512500
account 2: 25000 deposits, balance 312537500
account 3: 25000 deposits, balance 312562500
all 100000 of them before the report'
    call blocking_queue
    point 'blocking_queue' prints '20000 orders received, for 200020000 in all'
    call fork_join
    point 'fork_join' prints 'fibonacci(30) = 832040
1000000 numbers in order'
    call free_buffers
    point 'free_buffers' prints 'sum of the samples: 10000100000, buffers back: 64'
    call closing
    point 'closing' prints 'the orders come to 1350000
the shop is closed'
    call conversations
    point 'conversations' prints '1000 conversations, the sum of all answers is 14000'
    call crawl
    point 'crawl' prints '100000 pages seen, each once'
    call pipeline
    point 'pipeline' prints 'sum of the positive samples: 12250000'
    call hit_counter
    point 'hit_counter' prints '4000000 hits, 2048000000 bytes'
    call idle_connections
    point 'idle_connections' prints '160000 requests served, some connections were kept'
    call inbox
    point 'inbox' prints '4000 messages, 0 out of order
the inbox is closed'
    call object_cache
    point 'object_cache' prints '100000 requests, sum 5000050000
1000 objects, 0 in use'
    call response_times
    point 'response_times' prints '1000000 requests: p50 50, p99.9 50, p99.99 90111 ns
50 to 50 ns: 999000
89600 to 90111 ns: 1000
under way 0, the largest was 4999'
    call telemetry
    point 'telemetry' prints 'sensor 0: 23.00 degrees
sensor 1: 23.00 degrees
sensor 2: 23.00 degrees'
    call tree_walk
    point 'tree_walk' prints '131071 nodes visited'
    call log_writer
    point 'log_writer' prints '20000 records written'
    call near_the_reader
    point 'near_the_reader' prints 'the most urgent first'
    call request_queue
    point 'request_queue' prints '20000 requests served'
    call triage
    point 'triage' prints 'now: 333, today: 333, some day: 333, then closed
sum of all jobs: 498501'
    call hand_over
    point 'hand_over' prints 'nobody plays yet
the ball was hit 2000 times'
    call live_settings
    point 'live_settings' prints 'version 1000, 0 requests saw something else'
    call price_board
    point 'price_board' prints '200000 trades, the last at 1003/1005, every quote was whole'
    call tasks
    point 'tasks' prints 'sum of all rows: 31996000
calls: 100
the pool is closed'
    call futures
    point 'futures' prints 'value: 144
error: -EPERM
deadline: still running
cancel: ended with -ECANCELED
number: 3'
    call placement
    machine='pack:2 core:4 pu:2, 4 workers,'
    point 'placement: one-per-core' is 0 "$machine one-per-core: CPUs 0 2 4 6; .* from 1"
    point 'placement: compact' is 0 "$machine compact: CPUs 0 1 2 3; .* from 1"
    point 'placement: scatter' is 0 "$machine scatter: CPUs 0 8 2 10; .* from 2"
    point 'placement: here' is 0 'worker 1(: at home| is not bound: .*)'
}

# counted_like_python FILE...: the input's figures and most frequent words are those that another
# program finds.
counted_like_python() {
    [ "$status" -eq 0 ] && grep -qx 'all three counted the same' "$out" &&
        python3 "$words" "$@" | {
            read -r figures
            read -r top
            grep -Fq "$figures" "$out" && grep -Fqx "$top" "$out"
        }
}

wordcount_counts() {
    printf "Don't don't DON'T 'quoted' x''y caf\303\251 a1b2 \0 _z_" >"$folder/words"
    # One word that is longer than a chunk, and one that would be cut in two by the end of one.
    { head -c 32767 /dev/zero | tr '\0' ' ' && head -c 100000 /dev/zero | tr '\0' w &&
        echo " isn't isn't"; } >"$folder/long"
    : >"$folder/empty"
    call wordcount --rounds 1 --repeat 3 "$folder/words"
    point 'wordcount: what a word is' is 0 \
        "most frequent: don't 3, a1b2 1, caf.* 1, quoted 1, x 1, y 1, z 1"
    for file in words long empty; do
        call wordcount --rounds 1 --repeat 2 "$folder/$file"
        point "wordcount: $file, as another program counts" counted_like_python "$folder/$file"
    done
    set -- "$(dirname "$0")"/*.py "$0"
    for threads in 1 2 5; do
        call wordcount --rounds 2 --repeat 5 --threads $threads "$@"
        point "wordcount: these sources, $threads workers" counted_like_python "$@"
    done
    call wordcount --rounds 1
    point 'wordcount: its own input' is 0 'input: [1-9][0-9]* files, .* counted [0-9]+ times'
    point 'wordcount: compares' is 0 'all three counted the same'
    for way in 'one thread' 'mutex pool' 'weft      '; do
        point "wordcount: a line for $way" is 0 "$way +[0-9.]+ +[0-9.]+ +[-0-9.]+ .*"
    done
    point 'wordcount: statistics' is 0 \
        'weft pool: workers [0-9]+, .*submitted [0-9]+, run [0-9]+, stolen [0-9]+; parked .*'
}

# passes_over PATTERN: the other file was counted, and this one was named.
passes_over() {
    is 1 'input: 1 files, .*' "wordcount: $1" && grep -qx 'all three counted the same' "$out"
}

wordcount_refuses() {
    call wordcount --help
    point 'wordcount --help' is 0 'usage: wordcount .*'
    call wordcount --rounds 1 "$folder/gone" "$folder/words"
    point 'wordcount: a file that is not there' passes_over '.*/gone: No such file or directory'
    call wordcount --rounds 1 "$folder/words" "$folder"
    point 'wordcount: a folder' passes_over '.*: Is a directory'
    call wordcount "$folder/gone"
    point 'wordcount: nothing to count' is 2 '' 'wordcount: nothing to count'
    for bad in --threads=0 --threads=4097 --threads=two --rounds=0 --repeat=-1 --repeat=1x \
        --repeat= --rounds=99999999999999999999 --what; do
        call wordcount "$bad" "$folder/words"
        point "wordcount $bad" is 2 '' 'wordcount: see --help'
    done
    truncate -s 8G "$folder/large"
    status=0
    (ulimit -v 4000000 && timeout 120 "$build/wordcount" "$folder/large" >"$out" 2>"$err") ||
        status=$?
    point 'wordcount: out of memory' is 1 '' 'wordcount: not counted: Cannot allocate memory'
}

# number NAME: the number after a word in the service's report.
number() {
    sed -n "s/^requests: .*\b$1 \([0-9]*\).*/\1/p" "$out"
}

# adds_up: the service's report is there and its sum is right.
adds_up() {
    [ "$status" -eq 0 ] && [ ! -s "$err" ] && grep -q '^latency us: p50 ' "$out" &&
        grep -q '^weft pool: workers ' "$out" &&
        [ "$(number accepted)" -eq $(($(number answered) + $(number late) + $(number canceled))) ]
}

# ends_on SIGNAL ARGUMENT...: start the service, send the signal as soon as it runs.
ends_on() {
    signal=$1
    shift
    rm -f "$out"
    mkfifo "$out"
    "$build/service" "$@" >"$out" 2>"$err" &
    process=$!
    {
        read -r _
        kill -s "$signal" "$process"
        cat
    } <"$out" >"$folder/report"
    status=0
    wait "$process" || status=$?
    mv "$folder/report" "$out"
    adds_up
}

service_runs() {
    for signal in TERM INT; do
        point "service: SIG$signal" ends_on $signal
    done
    point 'service: SIGTERM under load' ends_on TERM --rate 200000
    call service --seconds 1
    point 'service: reports all' adds_up
    point 'service: there were some' [ "$(number accepted)" -gt 0 ]
    call service --seconds 1 --deadline-us 0
    point 'service: late ones are answered' adds_up
    point 'service: all are late' [ "$(number late)" -eq "$(number accepted)" ]
    call service --seconds 1 --rate 1000 --deadline-us 60000000 --work-us 300000 --drain-ms 0 \
        --workers 1
    point 'service: aborts when it cannot drain' adds_up
    point 'service: and counts what it cancels' [ "$(number canceled)" -gt 0 ]
    call service --seconds 1 --rate 1000000 --work-us 1000 --deadline-us 60000000 \
        --workers 1
    point 'service: refuses what is too much' adds_up
    point 'service: and counts it' [ "$(number refused)" -gt 0 ]
}

service_refuses() {
    call service --help
    point 'service --help' is 0 'usage: service .*'
    for bad in --rate=0 --rate=1000001 --rate=fast --seconds=-1 --deadline-us= --drain-ms=1s \
        --workers=0 --workers=4097 --what more; do
        call service "$bad"
        point "service $bad" is 2 '' 'service: see --help'
    done
}

short_programs
wordcount_counts
wordcount_refuses
service_runs
service_refuses
printf '1..%d\n' "$points"
exit $((failed > 0))
