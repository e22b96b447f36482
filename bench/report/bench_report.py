#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bench_report.py RESULTS [--html FILE] [--baseline FILE]: what `weft bench` calls with the results
of a run. Exit status: 0; 3 when something is slower than in the baseline; 1 on an error, which is
one line of standard error."""
import argparse
import sys

from bench_results import NotResults, load

SLOWER = 3


def compared(results, path):
    """The comparison with the results of an earlier run."""
    from bench_compare import compare
    try:
        return compare(load(path), results)
    except ValueError as error:
        raise NotResults(f'{path}: {error}') from error


def main():
    parser = argparse.ArgumentParser(prog='weft bench')
    parser.add_argument('results', nargs='?')
    parser.add_argument('--html')
    parser.add_argument('--baseline')
    arguments = parser.parse_args()
    try:
        # Without results: can it be done? It is asked before anything is measured.
        if arguments.html:
            from bench_page import page
        if arguments.results is None:
            if arguments.baseline:
                import bench_compare  # noqa: F401
                load(arguments.baseline)
            if arguments.html:
                with open(arguments.html, 'a', encoding='utf-8'):
                    pass
            return 0
        results = load(arguments.results)
        if not results.groups:
            raise NotResults(f'{arguments.results} has no figures')
        comparison = compared(results, arguments.baseline) if arguments.baseline else None
        if comparison:
            from bench_compare import as_text
            print(as_text(comparison, arguments.baseline))
        if arguments.html:
            with open(arguments.html, 'w', encoding='utf-8') as file:
                file.write(page(results, comparison))
        if comparison and comparison.slower():
            return SLOWER
    except ModuleNotFoundError as error:
        print(f'weft bench: no Python module {error.name}: '
              'apt-get install python3-matplotlib python3-numpy', file=sys.stderr)
        return 1
    except (NotResults, OSError) as error:
        print(f'weft bench: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
