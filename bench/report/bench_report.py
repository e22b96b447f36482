#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bench_report.py RESULTS [--html FILE] [--baseline FILE]: what `weft bench` calls with the results
of a run. Exit status: 0; 1 when something is slower than in the baseline, or on an error, which is
one line of standard error."""
import argparse
import sys

from bench_results import NotResults, load

NO_MATPLOTLIB = 'pictures want matplotlib: apt-get install python3-matplotlib'


def main():
    parser = argparse.ArgumentParser(prog='weft bench')
    parser.add_argument('results', nargs='?')
    parser.add_argument('--html')
    arguments = parser.parse_args()
    try:
        # Without results: can it be done? It is asked before anything is measured.
        if arguments.html:
            from bench_page import page
        if arguments.results is None:
            return 0
        results = load(arguments.results)
        if not results.groups:
            raise NotResults(f'{arguments.results} has no figures')
        if arguments.html:
            with open(arguments.html, 'w', encoding='utf-8') as file:
                file.write(page(results))
    except ModuleNotFoundError:
        print(f'weft bench: {NO_MATPLOTLIB}', file=sys.stderr)
        return 1
    except (NotResults, OSError) as error:
        print(f'weft bench: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
