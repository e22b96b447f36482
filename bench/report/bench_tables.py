# SPDX-License-Identifier: Apache-2.0
"""The tables of a run as Markdown, for a document: `weft bench --from FILE --markdown`."""
from bench_results import facts_of, text_of

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
    """Latency under load: a row for each structure, load and variant."""
    rows = []
    for group in groups:
        for variant in group.variants:
            columns = list(zip(*variant.loads))
            middle = [sorted(column)[len(column) // 2] for column in columns]
            rows.append([f'`{group.structure}`', group.scenario.split('_')[1] + ' %', variant.name,
                         f'{middle[0]:.2f}', *(text_of(ns, 'time') for ns in middle[1:])])
    return '### latency under load\n\n' + table(
        ['', 'of its best', 'variant', 'arrivals, M/s', 'p50', 'p99', 'p99.9', 'p99.99'], rows)


def behind(groups):
    """Where somebody else is ahead, the worst first."""
    rows = []
    for group in groups:
        ours = group.best('weft')
        for role in ('baseline', 'peer'):
            other, times = group.best(role), group.ratio(role)
            if times is not None and times < NOT_AHEAD:
                rows.append((times, [f'`{group.name}`', figure(ours, group.unit),
                                     f'{figure(other, group.unit)} ({other.name})',
                                     f'{times:.2f}']))
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
