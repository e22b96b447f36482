#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bench_report.py [RESULTS] [OPTION...]: what `weft bench` calls with the results of a run; its
usage says what the options do. Without results it says whether it could. Exit status: 0; 3 when
something is slower than it was; 1 on an error, which is one line of standard error."""
import argparse
import importlib
import sys

from bench_results import NotResults, load

SLOWER = 3


def options():
    parser = argparse.ArgumentParser(prog='weft bench')
    parser.add_argument('results', nargs='?')
    parser.add_argument('--html')
    parser.add_argument('--baseline')
    parser.add_argument('--pairs', action='store_true')
    parser.add_argument('--history')
    parser.add_argument('--trend')
    parser.add_argument('--markdown', action='store_true')
    return parser.parse_args()


def write(path, content, mode='w'):
    try:
        with open(path, mode, encoding='utf-8') as file:
            file.write(content)
    except OSError as error:  # that of a full disk does not name the file
        raise OSError(error.errno, error.strerror, path) from error


def try_out(arguments):
    """What can go wrong later goes wrong here, before anything is measured."""
    for wanted, module in ((arguments.html, 'bench_page'), (arguments.pairs, 'bench_compare'),
                           (arguments.baseline, 'bench_compare')):
        if wanted:
            importlib.import_module(module)
    if arguments.baseline:
        load(arguments.baseline)
    for path in (arguments.html, arguments.history):
        if path:
            with open(path, 'a', encoding='utf-8'):
                pass


def compared(results, arguments):
    """What has changed, or None when nothing is compared. It is also printed."""
    if not arguments.baseline and not results.context.get('against'):
        return None
    from bench_compare import as_text, compare, compare_pairs
    other = arguments.baseline or results.context['against']
    try:
        comparison = compare(load(other), results) if arguments.baseline else \
            compare_pairs(results)
    except ValueError as error:
        raise NotResults(f'{other}: {error}') from error
    print(as_text(comparison, other))
    return comparison


def report(arguments):
    """All that is asked for of a run. Returns the exit status."""
    results = load(arguments.results)
    if not results.groups:
        raise NotResults(f'{arguments.results} has no figures')
    comparison = impossible = None
    try:
        comparison = compared(results, arguments)
    except NotResults as error:  # too few rounds, perhaps: of them there is a report all the same
        impossible = error
    if arguments.history:
        from bench_history import line_of
        write(arguments.history, line_of(results), 'a')
    if arguments.markdown:
        from bench_tables import tables
        print(tables(results))
    if arguments.html:
        from bench_page import page
        write(arguments.html, page(results, comparison))
    if impossible:
        raise impossible
    return SLOWER if comparison and comparison.slower() else 0


def trend(arguments):
    from bench_history import read
    from bench_trend import page
    write(arguments.html, page(read(arguments.trend)))
    return 0


def main():
    arguments = options()
    try:
        if arguments.trend:
            return trend(arguments)
        if arguments.results is None:
            try_out(arguments)
            return 0
        return report(arguments)
    except ModuleNotFoundError as error:
        print(f'weft bench: no Python module {error.name}: '
              'apt-get install python3-matplotlib python3-numpy', file=sys.stderr)
        return 1
    except (NotResults, OSError) as error:
        print(f'weft bench: {error}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
