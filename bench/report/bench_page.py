# SPDX-License-Identifier: Apache-2.0
"""The report of a run as one page of HTML, which fetches nothing and runs no script."""
import html
import pathlib
import re

import bench_charts as charts
from bench_results import facts_of, text_of

LEGEND = (('weft', 'weft'), ('baseline', 'the best one writes without it: a mutex, mostly'),
          ('peer', 'another library'), ('floor', 'what the machine allows'))
NOISE_LIMIT = 0.05


def text(value):
    return html.escape(str(value))


def table(head, rows, numbers=(), classes=()):
    """A table of texts that are HTML already; `numbers` are the columns of numbers."""
    def cell(tag, column, value):
        return f'<{tag}{" class=number" if column in numbers else ""}>{value}</{tag}>'

    lines = ['<div class="wide"><table>', '<tr>' + ''.join(
        cell('th', column, value) for column, value in enumerate(head)) + '</tr>']
    for number, row in enumerate(rows):
        kind = f' class="{classes[number]}"' if classes else ''
        lines.append(f'<tr{kind}>' + ''.join(
            cell('td', column, value) for column, value in enumerate(row)) + '</tr>')
    return '\n'.join([*lines, '</table></div>'])


def document(title, parts):
    """The whole page."""
    style = pathlib.Path(__file__).with_name('bench_report.css').read_text(encoding='utf-8')
    return '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n' \
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n' \
        f'<title>{text(title)}</title><style>\n{style}</style></head><body>\n' + \
        '\n'.join(parts) + '\n</body></html>\n'


def topology_picture(pus):
    """Boxes in boxes: packages, nodes, caches, cores and their CPUs."""
    levels = ('package', 'node', 'cache', 'core')

    def boxes(of_these, depth):
        if depth == len(levels):
            return ''.join(f'<span class="box">CPU {pu["cpu"]}</span>' for pu in of_these)
        level, parts = levels[depth], {}
        for pu in of_these:
            parts.setdefault(pu[level], []).append(pu)
        return ''.join(f'<div class="box">{level} {number}<br>{boxes(part, depth + 1)}</div>'
                       for number, part in parts.items())

    return boxes(pus, 0)


def doubts(results):
    """What makes the figures worth less, a sentence each."""
    context, said = results.context, []
    if not results.complete:
        said.append('The run did not come to its end: this is what it had measured.')
    # Once, and not for each of its rounds.
    for name, wrong in dict(reversed(results.errors)).items():
        said.append(f'{name} gave a wrong result and has no figure: {wrong}.')
    if context.get('pinned', 'yes') != 'yes':
        said.append(f'Threads were not pinned ({context["pinned"]}): the figures vary more.')
    if str(context.get('cpus', '2')) == '1':
        said.append('There was one CPU: threads took turns, and nothing is said of several.')
    taken = int(context.get('percent_taken_by_others', 0))
    if taken > 10:
        said.append(f'Others took {taken} % of the CPUs as it began: '
                    'the figures are worth little.')
    noise = results.noise()
    if noise is not None and noise > NOISE_LIMIT:
        said.append(f'The same loop took up to {noise:.0%} longer at one time than at another: '
                    'the machine was not quiet.')
    return said


def machine(results):
    context = results.context
    facts = [(text(label), text(fact)) for label, fact in facts_of(results)]
    pictures = ''
    if context.get('pus'):
        pictures += f'<h3>topology</h3>{topology_picture(context["pus"])}'
    if context.get('core_to_core_ns'):
        latency = context['core_to_core_ns']
        pictures += '<h3>round trip of a cache line, ns</h3>' + \
            charts.heat_map(latency['cpus'], latency['rows'])
    return f'<div class="machine"><div>{table(["", ""], facts)}</div><div>{pictures}</div></div>'


def ratio_text(ratio):
    return '' if ratio is None else f'{ratio:.2f}x' if ratio < 10 else f'{ratio:.0f}x'


def scoreboard(rooms):
    against = [charts.means(rooms, role) for role in ('baseline', 'peer')]
    if not any(against):
        return '<p>Of this run there is nothing to compare.</p>'
    rows = []
    for structure in rooms:
        row = [f'<a href="#{text(structure)}">{text(charts.readable(structure))}</a>']
        for board in against:
            mean, low, high = board.get(structure, (None, None, None))
            row += [ratio_text(mean),
                    '' if mean is None else f'{ratio_text(low)} to {ratio_text(high)}']
        rows.append(row)
    return charts.scoreboard(rooms) + table(
        ['structure', 'than the best mutex variant', 'range', 'than the best peer', 'range'],
        rows, numbers=(1, 2, 3, 4))


def side_by_side(pictures):
    return f'<div class="pictures">{pictures}</div>'


def room(structure, groups, places):
    loaded = [group for group in groups if any(variant.loads for variant in group.variants)]
    others = [group for group in groups if group not in loaded]
    parts = [side_by_side(charts.bars(structure, others))] if others else []
    if loaded:
        parts.append('<h3>latency under load</h3><p>Things arrive at a constant rate, and each '
                     'latency counts from when its thing was due.</p>' +
                     charts.under_load(structure, loaded))
    parts.append(side_by_side(''.join(charts.scaling(structure, points, places)
                                      for points in charts.series_of(groups, places))))
    return f'<section id="{text(structure)}"><h2>{text(charts.readable(structure))}</h2>' + \
        '\n'.join(parts) + '</section>'


def every_number(results):
    rows, classes = [], []
    for group in results.groups:
        for variant in group.variants:
            ratio = group.ratio(variant.role) if variant.role != 'weft' else None
            name = f'{group.name}/{variant.name}'
            command = f"weft bench '^{re.escape(name)}$'"
            if variant.role == 'peer':
                command += ' --peers'
            rows.append([
                text(name), variant.role, text_of(variant.median, group.unit),
                f'{text_of(variant.part(0.1), group.unit)} to '
                f'{text_of(variant.part(0.9), group.unit)}',
                *('' if part is None else text_of(part, 'time')
                  for part in (variant.p99, variant.p999)),
                len(variant.times),
                ratio_text(ratio) if variant is group.best(variant.role) else '',
                f'<code>{text(command)}</code>'])
            classes.append(variant.role)
    return table(['benchmark', 'is', 'median', 'p10 to p90', 'p99', 'p99.9', 'times',
                  'weft is better by', 'measured again by'], rows, numbers=(2, 3, 4, 5, 6, 7),
                 classes=classes)


def changes_table(comparison):
    """What has changed; then all that was compared, by how much it seems to have changed."""
    ordered = sorted(comparison.changes, key=lambda change: (not change.counts, -change.times))
    rows = [[text(change.name), f'{change.times:.2f}', f'{change.low:.2f} to {change.high:.2f}',
             ('slower' if change.times > 1 else 'quicker') if change.counts else '']
            for change in ordered]
    return f'<p>Compared were {text(comparison.how)}. The ranges are such that nine of ten ' \
        'comparisons of a build with itself have 1 in all of them.</p>' + table(
            ['benchmark', 'takes times as long', 'from to', 'beyond the noise'], rows,
            numbers=(1, 2), classes=['weft' if change.counts else '' for change in ordered])


def page(results, comparison=None):
    """All of it, and what a comparison with an earlier run has found."""
    rooms = results.structures()
    places = int(results.context.get('cpus', 1))
    timed = [group for group in results.groups
             if any(variant.p99 and not variant.loads for variant in group.variants)]
    links = [('machine', 'machine'), ('scoreboard', 'scoreboard')] + \
        ([('changes', 'changes')] if comparison else []) + \
        [(structure, charts.readable(structure)) for structure in rooms] + \
        ([('latency', 'latency')] if timed else []) + [('numbers', 'every number')]
    legend = ''.join(f'<span><i style="background:var(--{role})"></i>{text(meaning)}</span>'
                     for role, meaning in LEGEND)
    parts = [
        '<h1>weft bench</h1>',
        '<p>Medians of repetitions that were interleaved; bars reach from p10 to p90.</p>',
        f'<p class="legend">{legend}</p>',
        '<nav>' + ' '.join(f'<a href="#{text(name)}">{text(label)}</a>'
                          for name, label in links) + '</nav>',
        *(f'<p class="notice">{text(doubt)}</p>' for doubt in doubts(results)),
        f'<section id="machine"><h2>machine</h2>{machine(results)}</section>',
        '<section id="scoreboard"><h2>how many times weft is better</h2>'
        f'{scoreboard(rooms)}</section>',
    ]
    if comparison:
        parts.append('<section id="changes"><h2>changes</h2>'
                     f'{changes_table(comparison)}</section>')
    parts += [room(structure, groups, places) for structure, groups in rooms.items()]
    if timed:
        parts.append('<section id="latency"><h2>latency</h2>'
                     f'{side_by_side(charts.latencies(timed))}</section>')
    parts.append('<section id="numbers"><h2>every number</h2>'
                 f'{every_number(results)}</section>')
    return document('weft bench', parts)
