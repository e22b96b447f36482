# SPDX-License-Identifier: Apache-2.0
"""The pictures of the report, drawn by matplotlib as SVG that stands in the page. The page's style
sheet gives the colours, so that they follow light and dark."""
import io
import itertools
import math
import re
import statistics

import matplotlib
matplotlib.use('svg')
from matplotlib import pyplot  # noqa: E402

from bench_results import text_of  # noqa: E402

# Drawn in these, shown in the style sheet's: var(--ink) and so on.
INK, FAINT, PAPER = '#010203', '#010204', '#010205'
ROLE_COLOURS = {'weft': '#010206', 'baseline': '#010207', 'peer': '#010208', 'floor': '#010209'}
VARIABLES = {INK: 'ink', FAINT: 'faint', PAPER: 'paper',
             **{colour: role for role, colour in ROLE_COLOURS.items()}}
# The role is told by more than its colour.
ROLE_HATCHES = {'weft': '', 'baseline': '///', 'peer': '...', 'floor': 'xxx'}
ROLE_LINES = {'weft': '-', 'baseline': '--', 'peer': ':', 'floor': '-.'}
MARKERS = 'osD^vP*Xh<>'
LINEAR_SPAN = 40  # times: of more the shorter bars would not be seen
WIDTH = 5.2  # inches of 72 pixels: a phone; the page scales it up where there is room
SCALE = 1.7
ROWS = 26  # in one picture at most: so it has room on a printed page, and two stand side by side

pyplot.rcParams.update({
    'svg.fonttype': 'none', 'svg.hashsalt': 'weft', 'font.family': 'sans-serif', 'font.size': 10,
    'text.color': INK, 'axes.labelcolor': INK, 'axes.edgecolor': FAINT, 'xtick.color': INK,
    'ytick.color': INK, 'axes.facecolor': 'none', 'figure.facecolor': 'none',
    'grid.color': FAINT, 'grid.linewidth': 0.5, 'hatch.linewidth': 0.6, 'legend.frameon': False,
    'axes.spines.top': False, 'axes.spines.right': False, 'legend.fontsize': 9,
})

serial = itertools.count(1)
hatches = set()  # of those that the page has so far


def lean(svg):
    """The same in a third of the bytes: fewer digits, the page's font, and each hatch, which is
    large, once in the page."""
    def once(found):
        known = found[1] in hatches
        hatches.add(found[1])
        return '' if known else found[0]

    svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
    svg = re.sub(r'<pattern id="(\w+)".*?</pattern>', once, svg, flags=re.DOTALL)
    svg = re.sub(r'<[^>]*>', lambda tag: re.sub(r'(\d\.\d\d)\d+', r'\1', tag[0]), svg)
    svg = re.sub(r'font: ([\d.]+px) [^;"]*', r'font-size: \1', svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', '', svg)
    return re.sub(r'\s*\n\s*', '\n', svg)


def finish(figure, description):
    """The picture as a part of the page. Its names, but for those of hatches, are made unique in
    the page."""
    out = io.StringIO()
    figure.savefig(out, format='svg', bbox_inches='tight', metadata={'Date': None})
    pyplot.close(figure)
    svg = out.getvalue()
    svg = lean(svg[svg.index('<svg'):])
    prefix = f'c{next(serial)}-'
    svg = re.sub(r'(\bid="|url\(#|href="#)(?!h[0-9a-f]{10}\b)', r'\g<1>' + prefix, svg)
    # The size is the page's to say; the view box keeps the shape.
    width = float(re.search(r' width="([\d.]+)pt"', svg)[1])
    svg = re.sub(r' (width|height)="[\d.]+pt"', '', svg, count=2)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f'var(--{variable})')
    described = description.replace('&', '&amp;').replace('<', '&lt;').replace('"', '&quot;')
    return svg.replace('<svg', f'<svg role="img" aria-label="{described}" '
                               f'style="max-width:{width * SCALE:.0f}px"', 1)


TITLES = {
    'rate': ': million a second, more is better',
    'time': ': {}, less is better',
    'bytes': ': bytes, less is better',
}
# From so many nanoseconds on: the name of the unit, and what it has of them.
TIME_UNITS = ((1e6, 'milliseconds', 1e6), (1e4, 'microseconds', 1e3), (0, 'nanoseconds', 1))


def time_unit(ns):
    """The unit for the axis of times like this one: its name and its nanoseconds."""
    return next((name, size) for least, name, size in TIME_UNITS if ns >= least)


def figure_of(ns, unit, size):
    """What is shown of a time: itself, in a unit of this size, or millions in a second."""
    return 1e3 / ns if unit == 'rate' else ns if unit == 'bytes' else ns / size


def readable(name):
    return name.replace('_', ' ')


def in_parts(things, rows_of):
    """Lists of neighbours that have ROWS rows together, or one that has more."""
    parts, rows = [], ROWS + 1
    for thing in things:
        if rows + rows_of(thing) > ROWS:
            parts.append([])
            rows = 0
        parts[-1].append(thing)
        rows += rows_of(thing)
    return parts


def bar_rows(group):
    return len(group.variants) + 1.8


def bars(structure, groups):
    """Each scenario's variants, best first, with the range of p10 to p90."""
    return ''.join(bars_of_some(structure, some) for some in in_parts(groups, bar_rows))


def bars_of_some(structure, groups):
    heights = [bar_rows(group) for group in groups]
    figure, axes = pyplot.subplots(len(groups), 1, figsize=(WIDTH, 0.23 * sum(heights) + 0.3),
                                   squeeze=False, gridspec_kw={'height_ratios': heights})
    for axis, group in zip(axes[:, 0], groups):
        variants = sorted(group.variants, key=lambda variant: variant.median)
        logarithmic = variants[-1].median > LINEAR_SPAN * variants[0].median
        unit_name, size = time_unit(variants[0 if logarithmic else -1].median)
        for place, variant in enumerate(variants):
            value = figure_of(variant.median, group.unit, size)
            ends = [figure_of(variant.part(part), group.unit, size) for part in (0.1, 0.9)]
            axis.barh(place, value, color=ROLE_COLOURS[variant.role], height=0.72,
                      hatch=ROLE_HATCHES[variant.role], edgecolor=PAPER,
                      xerr=[[max(0, value - min(ends))], [max(0, max(ends) - value)]],
                      error_kw={'ecolor': INK, 'elinewidth': 1, 'capsize': 2})
            axis.text(1.01, place, text_of(variant.median, group.unit), va='center', fontsize=9,
                      transform=axis.get_yaxis_transform())
        axis.set_yticks(range(len(variants)), [readable(variant.name) for variant in variants],
                        fontsize=9)
        title = readable(group.scenario) + TITLES[group.unit].format(unit_name)
        if logarithmic:
            axis.set_xscale('log')
            title += ' (logarithmic)'
        else:
            axis.locator_params(axis='x', nbins=6)
        axis.set_title(title, loc='left', fontsize=10)
        axis.invert_yaxis()
        axis.grid(axis='x')
        axis.set_axisbelow(True)
        axis.tick_params(axis='y', length=0)
    figure.tight_layout()
    return finish(figure, f'{structure}: medians of all variants in each scenario')


def workers_of(scenario, places):
    """How many workers a program of fork-join has there, and its name; None elsewhere."""
    found = re.fullmatch(r'(.+)_(?:(\d+)_workers?|all_cores)', scenario)
    return (int(found[2] or places), found[1]) if found else None


def threads_of(scenario, places):
    """How many threads a scenario of a scaling series has, and what else its name says."""
    pairs = re.fullmatch(r'(\d+)P(\d+)C(.*)', scenario)
    if pairs:
        return int(pairs[1]) + int(pairs[2]), pairs[3]
    threads = re.fullmatch(r'(\d+)_(threads?|workers?|thieves|thief)(.*)', scenario)
    return (int(threads[1]), threads[3]) if threads else workers_of(scenario, places)


def series_of(groups, places):
    """The scenarios that differ in the number of threads only; at least three of them."""
    series = {}
    for group in groups:
        found = threads_of(group.scenario, places)
        if found:
            series.setdefault((found[1], group.unit), []).append((found[0], group))
    return [sorted(points, key=lambda point: point[0]) for points in series.values()
            if len({threads for threads, _ in points}) >= 3]


def rate_of(variant, group, threads, places):
    """Millions a second of all threads together. A time is that of a thread's CPU, but for programs
    of fork-join."""
    together = group.unit == 'rate' or workers_of(group.scenario, places)
    return 1e3 / variant.median * (1 if together else min(threads, places))


def scaling(structure, points, places):
    """The rate over the number of threads, and what ideal scaling would give up to the number of
    cores and hold from there."""
    figure, axis = pyplot.subplots(figsize=(WIDTH, 2.8))
    names = []
    for _, group in points:
        names += [variant.name for variant in group.variants if variant.name not in names]
    at = [threads for threads, _ in points]
    ideal = None
    for number, name in enumerate(names):
        line = {}
        for threads, group in points:
            variant = next((one for one in group.variants if one.name == name), None)
            if variant:
                line[threads] = rate_of(variant, group, threads, places)
                role = variant.role
        axis.plot(line.keys(), line.values(), ROLE_LINES[role], color=ROLE_COLOURS[role],
                  marker=MARKERS[number % len(MARKERS)], markersize=5, label=readable(name),
                  linewidth=2 if role == 'weft' else 1.2, gid=f'line-{name}')
        if role == 'weft' and ideal is None and at[0] in line:
            ideal = [line[at[0]] * min(max(threads, at[0]), max(places, at[0])) / at[0]
                     for threads in at]
    if ideal:
        axis.plot(at, ideal, linestyle=(0, (6, 4)), color=INK, linewidth=0.9, label='ideal',
                  gid='line-ideal')
    axis.set_xscale('log', base=2)
    axis.set_xticks(at, [readable(group.scenario) for _, group in points], fontsize=8)
    axis.minorticks_off()
    axis.set_ylim(bottom=0)
    axis.set_ylabel('million a second')
    axis.grid()
    axis.legend(loc='upper left', bbox_to_anchor=(-0.02, -0.09), ncol=3)
    return finish(figure, f'{structure}: rate over threads')


def under_load(structure, groups):
    """Latency over the rate of arrival: a curve for each variant, through its medians at each part
    of its capacity."""
    quantiles = ('p50', 'p99', 'p99.9', 'p99.99')
    figure, axes = pyplot.subplots(2, 2, figsize=(WIDTH, 4.4), sharex=True, sharey=True)
    names = list(dict.fromkeys(variant.name for group in groups for variant in group.variants))
    for number, name in enumerate(names):
        points = [(variant.role, [statistics.median(values) for values in zip(*variant.loads)])
                  for group in groups for variant in group.variants if variant.name == name]
        for axis, column in zip(axes.flat, range(1, len(quantiles) + 1)):
            axis.plot([point[0] for _, point in points], [point[column] for _, point in points],
                      ROLE_LINES[points[0][0]], color=ROLE_COLOURS[points[0][0]], markersize=4,
                      marker=MARKERS[number % len(MARKERS)], label=readable(name), linewidth=1.2)
    for axis, quantile in zip(axes.flat, quantiles):
        axis.set_xscale('log')
        axis.set_yscale('log')
        axis.set_title(quantile, fontsize=9)
        axis.grid()
    figure.supylabel('ns, less is better', fontsize=9)
    figure.supxlabel('million arrivals a second; the points are at '
                     f'{", ".join(group.scenario.split("_")[1] for group in groups)} % of what '
                     'each can do', fontsize=9)
    figure.tight_layout()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc='upper center', ncol=3,
                  bbox_to_anchor=(0.5, 0))
    return finish(figure, f'{structure}: latency under load')


def latencies(groups):
    """p50, p99 and p99.9 of single operations, on a logarithmic scale."""
    rows = [(group, variant) for group in groups for variant in
            sorted(group.variants, key=lambda variant: variant.median) if variant.p99]
    return ''.join(latencies_of_some(some) for some in in_parts(rows, lambda _: 1))


def latencies_of_some(rows):
    figure, axis = pyplot.subplots(figsize=(WIDTH, 0.22 * len(rows) + 0.9))
    for place, (_, variant) in enumerate(rows):
        colour = ROLE_COLOURS[variant.role]
        axis.plot([variant.median, variant.p999 or variant.p99], [place, place],
                  ROLE_LINES[variant.role], color=colour, linewidth=1.5)
        axis.plot(variant.median, place, 'o', color=colour, markersize=5)
        axis.plot(variant.p99, place, '|', color=colour, markersize=10, markeredgewidth=2)
        if variant.p999:
            axis.plot(variant.p999, place, 'x', color=colour, markersize=5)
    axis.set_xscale('log')
    axis.set_yticks(range(len(rows)), [f'{group.structure} {readable(group.scenario)}: '
                                       f'{readable(variant.name)}' for group, variant in rows],
                    fontsize=8)
    axis.invert_yaxis()
    axis.grid(axis='x')
    axis.set_xlabel('nanoseconds: ● p50, | p99, × p99.9; less is better')
    return finish(figure, 'p50, p99 and p99.9 of single operations')


def scoreboard(rooms):
    """For each structure a row; a mark for each scenario, at how many times weft is better."""
    figure, axis = pyplot.subplots(figsize=(WIDTH, 0.3 * len(rooms) + 0.9))
    shown = (('baseline', 'o', -0.14, 'than the best mutex variant'),
             ('peer', 'D', 0.14, 'than the best peer'))
    for role, marker, shift, label in shown:
        marks = [(ratio, row + shift) for row, groups in enumerate(rooms.values())
                 for ratio in (group.ratio(role) for group in groups) if ratio]
        if marks:
            axis.plot(*zip(*marks), marker, color=ROLE_COLOURS[role], markersize=5, alpha=0.8,
                      label=f'times better {label}', linestyle='none')
    axis.axvline(1, color=INK, linewidth=1)
    axis.set_xscale('log')
    low, high = axis.get_xlim()
    # Of a wide range fewer, for there is a phone's width.
    steps = (1, 2, 5) if high / low < 300 else (1,) if high / low > 1e5 else (1, 3)
    axis.set_xticks([tick for power in range(-4, 6) for tick in (step * 10.0**power
                                                                 for step in steps)
                     if low <= tick <= high])
    axis.xaxis.set_major_formatter(lambda value, _: f'{value:g}x')
    axis.minorticks_off()
    axis.set_yticks(range(len(rooms)), [readable(structure) for structure in rooms])
    axis.set_ylim(len(rooms) - 0.5, -0.5)
    axis.grid()
    axis.legend(loc='lower left', bbox_to_anchor=(0, 1.0))
    return finish(figure, 'how many times weft is better, by structure and scenario')


def trend(structure, trends, breaks, runs):
    """A small picture for each variant of weft, of its ratios over the runs."""
    panels = {}
    for one in trends:
        panels.setdefault(one.name, []).append(one)
    columns = 2
    rows = -(-len(panels) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(WIDTH, 1.5 * rows + 0.4),
                                   squeeze=False, sharex=True)
    for axis in list(axes.flat)[len(panels):]:
        axis.set_visible(False)
    for axis, (name, lines) in zip(axes.flat, panels.items()):
        for line in lines:
            colour, marker = ROLE_COLOURS[line.role], 'o' if line.role == 'baseline' else 'D'
            at = [number + 1 for number in line.runs]
            axis.fill_between(at, line.lows, line.highs, color=colour, alpha=0.2, linewidth=0)
            axis.plot(at, line.ratios, '-' if line.role == 'baseline' else '--', color=colour,
                      marker=marker, markersize=3, linewidth=1.2)
        for number in breaks:
            axis.axvline(number + 0.5, color=FAINT, linewidth=1.5)
        axis.axhline(1, color=INK, linewidth=0.8)
        axis.set_yscale('log')
        axis.yaxis.set_major_formatter(lambda value, _: f'{value:g}x')
        axis.yaxis.set_minor_formatter(lambda value, _: '')
        axis.set_xlim(0.5, runs + 0.5)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_title(readable(name.split('/', 1)[1]), loc='left', fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid()
    figure.supxlabel('run', fontsize=8)
    figure.tight_layout()
    return finish(figure, f'{structure}: ratios over the runs')


def heat_map(cpus, rows):
    """Nanoseconds for a round trip of a cache line between each two CPUs."""
    size = min(WIDTH, 1.6 + 0.45 * len(cpus))
    figure, axis = pyplot.subplots(figsize=(size, size * 0.85))
    cells = [[math.nan if value == 0 else value for value in row] for row in rows]
    image = axis.imshow(cells, cmap='cividis_r')
    axis.set_xticks(range(len(cpus)), cpus)
    axis.set_yticks(range(len(cpus)), cpus)
    axis.set_xlabel('CPU')
    axis.set_ylabel('CPU')
    if len(cpus) <= 16:
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                if value:
                    axis.text(x, y, f'{value:.0f}', ha='center', va='center', fontsize=8,
                              bbox={'facecolor': PAPER, 'edgecolor': 'none', 'pad': 1})
    if len(cpus) > 2:
        bar = figure.colorbar(image, shrink=0.8)
        bar.set_label('ns')
        bar.outline.set_visible(False)
    return finish(figure, 'cache line round trips between CPUs')


def means(rooms, role):
    """The geometric mean, least and greatest ratio of each structure to this role."""
    board = {}
    for structure, groups in rooms.items():
        ratios = [ratio for ratio in (group.ratio(role) for group in groups) if ratio]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            board[structure] = (mean, min(ratios), max(ratios))
    return board
