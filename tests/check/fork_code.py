#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fork_code.py PROGRAM FUNCTION: what a compiler makes of a function that forks and joins.

Its machine code, inlined parts included, has no atomic read-modify-write and no fence, and calls
nothing but itself and the long ways of fork and join, so that it cannot allocate either.
"""
import re
import subprocess
import sys

from c_source import Tap

# Of x86-64 and aarch64. An exchange with memory locks the bus without saying so.
NOT_CHEAP = re.compile(
    r'\b(lock|[lms]fence|cmpxchg\w*|xadd\w*|dmb|dsb|ld[ax]+r\w*|st[lx]+r\w*|stlr\w*|'
    r'cas(a|l|al)?\w*|ld(add|clr|eor|set|smax|smin)\w*|swp\w*)\b|\bxchg\b.*\(')
CALL = re.compile(r'\b(?:callq?|bl)\s+[0-9a-f]+ <([\w.@]+?)(?:@plt)?(?:\+0x[0-9a-f]+)?>')
CALL_THROUGH_POINTER = re.compile(r'\b(callq?\s+\*|blr\b)')
LONG_WAYS = ('weft_forkjoin_forked_', 'weft_forkjoin_join_', 'weft_forkjoin_not_joined_',
             'weft_contract_broken_')


def disassembled(program, function):
    """The instructions of the function's parts, whatever the compiler has called them."""
    listing = subprocess.run(['objdump', '-d', '--no-show-raw-insn', program], check=True,
                             capture_output=True, text=True).stdout
    parts = re.findall(r'^[0-9a-f]+ <([\w.]+)>:\n((?:.+\n)*)', listing, re.MULTILINE)
    return [line.split('\t', 1)[-1] for name, code in parts
            if re.fullmatch(function + r'(_fork_at_|_join_at_|_call_)?(\.\w+)*', name)
            for line in code.splitlines()]


def faults(lines, function):
    found = [line for line in lines if NOT_CHEAP.search(line) or CALL_THROUGH_POINTER.search(line)]
    for line in lines:
        call = CALL.search(line)
        if call and call.group(1) not in LONG_WAYS and \
                not re.match(function + r'(_|\.|$)', call.group(1)):
            found.append(line)
    return found


def main():
    program, function = sys.argv[1:]
    tap = Tap()
    lines = disassembled(program, function)
    called = {call.group(1) for call in map(CALL.search, lines) if call}
    tap.point(f'{function} is there, forks and joins', [] if {
        'weft_forkjoin_forked_', 'weft_forkjoin_join_'} <= called else sorted(called))
    tap.point('it has no atomic read-modify-write, no fence, and calls nothing else',
              faults(lines, function))
    samples = ['lock add %edx,0xc(%rax)', 'xchg   %rax,(%rdi)', 'mfence', 'call   2110 <malloc>',
               'call   *0x8(%rax)', 'ldaxr x0, [x1]', 'casal w0, w1, [x2]', 'dmb ish', 'blr x3']
    tap.point('each of these would be noticed',
              [sample for sample in samples if not faults([sample], function)])
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
