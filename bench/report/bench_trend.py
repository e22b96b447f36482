# SPDX-License-Identifier: Apache-2.0
"""The trend of a history as one page of HTML, which fetches nothing and runs no script."""
import bench_charts as charts
from bench_history import BUILD, EARLIER_LEAST, MACHINE, mean_ratio, trends
from bench_page import document, ratio_text, table, text

FLAGS_OF_CHANGE = (('machine', MACHINE), ('build', BUILD))


def changed_facts(runs, number):
    """What a run has otherwise than the one before, in words."""
    if number == 0:
        return []
    now, before = runs[number].facts, runs[number - 1].facts
    return [f'other {kind}: {", ".join(now[key] for key in keys if now[key] != before[key])}'
            for kind, keys in FLAGS_OF_CHANGE if any(now[key] != before[key] for key in keys)]


def runs_table(runs, found):
    """A row for each run, with what is otherwise than before."""
    rows = []
    for number, run in enumerate(runs):
        facts = run.facts
        means = [mean_ratio([trend for trend in found if trend.role == role], number)
                 for role in ('baseline', 'peer')]
        rows.append([number + 1, text(facts['date'][:10]), text(facts['commit']),
                     '' if run.noise is None else f'{run.noise:.0%}', *map(ratio_text, means),
                     text('; '.join(changed_facts(runs, number)))])
    return table(['run', 'date', 'commit', 'noise', 'mean ratio to mutex', 'to peer', ''], rows,
                 numbers=(0, 3, 4, 5))


def last_table(runs, found):
    """What the last run has otherwise than those before it, the worst first."""
    outside, inside = [], []
    compared = [(trend, trend.last_change(runs)) for trend in found]
    for trend, change in sorted((pair for pair in compared if pair[1]),
                                key=lambda pair: pair[1][0]):
        times, is_outside = change
        (outside if is_outside else inside).append(
            [text(trend.name), text(trend.other), ratio_text(trend.ratios[-1]), f'{times - 1:+.0%}',
             ('worse' if times < 1 else 'better') if is_outside else ''])
    if not outside + inside:
        return f'<p>Fewer than {EARLIER_LEAST} earlier runs are of the same machine and build.</p>'
    head = ['benchmark', 'times better than', 'now', 'since before', '']
    return '<p>Against the median of the earlier runs of this machine and build. What is named ' \
        'is further out than any of them by over half of what they span; <code>weft bench ' \
        '--against</code> tells whether that is a change.</p>' + (
            table(head, outside, numbers=(2, 3)) if outside else '<p>No ratio is.</p>') + (
            f'<details><summary>the other {len(inside)}</summary>'
            f'{table(head, inside, numbers=(2, 3))}</details>' if inside else '')


def room(structure, found, runs):
    breaks = [number for number in range(len(runs)) if changed_facts(runs, number)]
    return f'<section id="{text(structure)}"><h2>{text(charts.readable(structure))}</h2>' \
        f'{charts.trend(structure, found, breaks, len(runs))}</section>'


def page(runs):
    found = trends(runs)
    structures = {}
    for trend in found:
        structures.setdefault(trend.group.split('/')[0], []).append(trend)
    links = [('runs', 'runs'), ('last', 'the last run')] + \
        [(structure, charts.readable(structure)) for structure in structures]
    return document('weft bench: trend', [
        '<h1>weft bench: trend</h1>',
        '<p>How many times weft is better than the best mutex variant (circles, solid) and the '
        'best peer (diamonds, dashed), by run; the bands reach from p10 to p90. Both stood in the '
        'same run, so that the machine’s moods cancel. A vertical line is where machine or build '
        'changed.</p>',
        '<nav>' + ' '.join(f'<a href="#{text(name)}">{text(label)}</a>'
                          for name, label in links) + '</nav>',
        f'<section id="runs"><h2>runs</h2>{runs_table(runs, found)}</section>',
        f'<section id="last"><h2>the last run</h2>{last_table(runs, found)}</section>',
        *(room(structure, of_it, runs) for structure, of_it in structures.items())])
