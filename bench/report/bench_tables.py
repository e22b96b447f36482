# SPDX-License-Identifier: Apache-2.0
"""The tables of a run as Markdown, for a document: `weft bench --from FILE --markdown`."""
import statistics

from bench_results import ROLES, facts_of, text_of

NOT_AHEAD = 1.0


def line(cells):
    return '| ' + ' | '.join(str(cell).replace('|', '\\|') for cell in cells) + ' |'


def table(head, rows):
    return '\n'.join([line(head), line('---' for _ in head), *map(line, rows)])


def figure(variant, unit):
    return '-' if variant is None else text_of(variant.median, unit)


def ratio(ours, other):
    if ours is None or other is None:
        return '-'
    times = other.median / ours.median
    return f'{times:.2f}' if times < 10 else f'{times:.0f}'


def row(group):
    """The best of weft beside the best of the others."""
    ours, mutex, peer, floor = (group.best(role) for role in ('weft', 'baseline', 'peer', 'floor'))
    ours_name = '' if ours is None or ours.name == 'weft' else f' ({ours.name})'
    peer_text = '-' if peer is None else f'{figure(peer, group.unit)} ({peer.name})'
    return [f'`{group.scenario}`', figure(ours, group.unit) + ours_name,
            figure(mutex, group.unit), ratio(ours, mutex), peer_text, ratio(ours, peer),
            figure(floor, group.unit)]


def structure_table(structure, groups):
    head = ['scenario', 'weft', 'best mutex variant', 'ratio', 'best peer', 'ratio', 'floor']
    return f'### {structure}\n\n' + table(head, [row(group) for group in groups])


def load_table(groups):
    """Latency under load: a row for each variant, its p50 and p99.9 at each load."""
    percents = list(dict.fromkeys(group.scenario.split('_')[1] for group in groups))
    rows = {}
    for group in groups:
        for variant in group.variants:
            arrivals, p50, _, p999, _ = map(statistics.median, zip(*variant.loads))
            cells = rows.setdefault((group.structure, ROLES.index(variant.role), variant.name), {})
            percent = group.scenario.split('_')[1]
            cells[percent] = f'{text_of(p50, "time")} / {text_of(p999, "time")}'
            cells['best'] = text_of(1e3 / (arrivals * 100 / float(percent)), 'rate')
    return '### latency under load: p50 / p99.9\n\n' + table(
        ['', 'variant', 'at most', *(f'at {percent} % of it' for percent in percents)],
        [[f'`{structure}`', name, cells['best'], *(cells.get(one, '-') for one in percents)]
         for (structure, _, name), cells in sorted(rows.items())])


def behind(groups):
    """Where somebody else is ahead, the worst first."""
    rows = []
    for group in groups:
        ours, other, times = group.best('weft'), group.best('baseline', 'peer'), \
            group.ratio('baseline', 'peer')
        if times is not None and times < NOT_AHEAD:
            rows.append((times, [f'`{group.name}`', figure(ours, group.unit),
                                 f'{figure(other, group.unit)} ({other.name})', f'{times:.2f}']))
    if not rows:
        return '### where weft is not ahead\n\nNowhere in this run.'
    return '### where weft is not ahead\n\n' + table(
        ['scenario', 'weft', 'ahead of it', 'ratio'],
        [cells for _, cells in sorted(rows, key=lambda pair: pair[0])])


def tables(results):
    loaded = [group for group in results.groups if any(one.loads for one in group.variants)]
    parts = ['### machine\n\n' + table(['', ''], facts_of(results))]
    for structure, groups in results.structures().items():
        others = [group for group in groups if group not in loaded]
        if others:
            parts.append(structure_table(structure, others))
    if loaded:
        parts.append(load_table(loaded))
    parts.append(behind(results.groups))
    return '\n\n'.join(parts)
