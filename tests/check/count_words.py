#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""count_words.py FILE...: the two first lines of examples/wordcount, found in another way."""
import collections
import re
import sys

WORD = re.compile(rb"[a-z0-9\x80-\xff]+(?:'[a-z0-9\x80-\xff]+)*")


def main():
    counts = collections.Counter()
    size = 0
    for path in sys.argv[1:]:
        with open(path, 'rb') as file:
            text = file.read()
        size += len(text)
        counts.update(WORD.findall(text.lower()))
    top = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:10]
    figures = (f'{len(sys.argv) - 1} files, {size} bytes, {sum(counts.values())} words, '
               f'{len(counts)} distinct;')
    sys.stdout.buffer.write(figures.encode() + b'\nmost frequent:' + b','.join(
        b' %s %d' % entry for entry in top) + b'\n')


if __name__ == '__main__':
    main()
