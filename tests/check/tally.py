#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tally.py TESTLOG_JSON: count the test cases that a run of `meson test` has logged.

Prints "PASSED FAILED SKIPPED" to standard output and the logs of what failed to standard error.
A program that speaks TAP counts its points. A program that ends badly without a point that says
so (a crash, a timeout, a sanitizer's report, points missing from the plan) counts as one failed
more. A program that does not speak TAP is one case. A log that does not exist holds no cases.
Meson's own verdict is not asked where there are points: cmocka writes "not ok # SKIP".
"""
import json
import os
import re
import sys

LINES_SHOWN = 200
POINT = re.compile(r'(ok|not ok)\b[^#\n]*(#\s*skip)?', re.IGNORECASE)
NOT_BAD = ('OK', 'EXPECTEDFAIL', 'SKIP')


def count(test):
    """Returns (passed, failed, skipped) of one entry of the log."""
    passed = failed = skipped = 0
    plan = None
    for line in (test.get('stdout') or '').splitlines():
        point = POINT.match(line)
        if point and point.group(2):
            skipped += 1
        elif point and point.group(1).lower() == 'ok':
            passed += 1
        elif point:
            failed += 1
        elif re.match(r'1\.\.\d+', line):
            plan = int(re.match(r'1\.\.(\d+)', line).group(1))
    result, status = test['result'], test['returncode']
    if plan is None and passed + failed + skipped == 0:
        return int(result in NOT_BAD[:2]), int(result not in NOT_BAD), int(result == 'SKIP')
    died = result == 'TIMEOUT' or status < 0 or plan != passed + failed + skipped
    if died or (failed == 0 and status != 0):
        failed += 1
    return passed, failed, skipped


def show(test):
    lines = ((test.get('stdout') or '') + (test.get('stderr') or '')).splitlines()
    lines = [line for line in lines if not re.match(r'ok \d', line)]
    print(f'\n--- {test["name"]}: {test["result"]}, exit status {test["returncode"]}',
          file=sys.stderr)
    if len(lines) > LINES_SHOWN:
        print(f'    (the last {LINES_SHOWN} of {len(lines)} lines)', file=sys.stderr)
    for line in lines[-LINES_SHOWN:]:
        print('    ' + line, file=sys.stderr)


def main():
    total = [0, 0, 0]
    if os.path.exists(sys.argv[1]):
        with open(sys.argv[1], encoding='utf-8') as log:
            for test in map(json.loads, log):
                counts = count(test)
                total = [a + b for a, b in zip(total, counts)]
                if counts[1]:
                    show(test)
    print(*total)


if __name__ == '__main__':
    main()
