# SPDX-License-Identifier: Apache-2.0
"""A history of runs: a file with one line of JSON for each, which `weft bench --history` appends. A
line says when, on which machine and of which build, and has the median of every benchmark with its
p10 and p90."""
import dataclasses
import json
import math
import statistics

from bench_results import Group, NotResults, Variant

FORMAT = 1
EARLIER_LEAST = 5
# What tells one machine from another, and one way to build from another.
MACHINE = ('cpu', 'cpus', 'kernel')
BUILD = ('compiler', 'flags', 'measurement')
ALSO = ('date', 'commit', 'weft')


@dataclasses.dataclass
class Run:
    """One line. The variants of its groups have three times: p10, median and p90."""
    facts: dict
    noise: float  # or None
    groups: dict  # by name

    @property
    def machine(self):
        return tuple(self.facts.get(key, '') for key in MACHINE)

    @property
    def build(self):
        return tuple(self.facts.get(key, '') for key in BUILD)


def line_of(results):
    """A run as a line."""
    facts = {key: results.context[key] for key in MACHINE + BUILD + ALSO if key in results.context}
    figures = {}
    for group in results.groups:
        for variant in group.variants:
            # Under load each has a rate of its own, so that there is no ratio.
            if not variant.loads:
                figures[f'{group.name}/{variant.name}'] = [variant.role, group.unit, *(
                    float(f'{variant.part(part):.4g}') for part in (0.1, 0.5, 0.9))]
    return json.dumps({'history': FORMAT, **facts, 'noise': results.noise(),
                       'figures': figures}) + '\n'


def run_of(line):
    """Raises what reading something else raises."""
    content = json.loads(line)
    if content['history'] != FORMAT:
        raise ValueError(content['history'])
    groups = {}
    for name, (role, unit, *times) in content['figures'].items():
        structure, scenario, variant = name.split('/')
        group = groups.setdefault(f'{structure}/{scenario}', Group(structure, scenario, unit))
        low, median, high = map(float, times)
        group.variants.append(Variant(variant, role, [low, median, high]))
    return Run({key: str(content.get(key, '')) for key in MACHINE + BUILD + ALSO},
               content.get('noise'), groups)


def read(path):
    """The runs, in the order of the file. Raises NotResults or OSError."""
    runs = []
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = file.read().split('\n')
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            runs.append(run_of(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # What a run that was killed leaves at the end is no whole line.
            if number == len(lines):
                break
            raise NotResults(f'{path}, line {number}, is not what weft bench --history '
                             'has written') from error
    if not runs:
        raise NotResults(f'{path} has no runs')
    return runs


@dataclasses.dataclass
class Trend:
    """How many times a variant of weft is better than one other variant, in run after run."""
    group: str
    variant: str
    other: str
    role: str  # of the other
    runs: list = dataclasses.field(default_factory=list)  # numbers of runs
    ratios: list = dataclasses.field(default_factory=list)
    lows: list = dataclasses.field(default_factory=list)
    highs: list = dataclasses.field(default_factory=list)

    @property
    def name(self):
        return f'{self.group}/{self.variant}'

    def add(self, run, ours, other):
        low, median, high = ours.times
        self.runs.append(run)
        self.ratios.append(other.times[1] / median)
        self.lows.append(other.times[0] / high)
        self.highs.append(other.times[2] / low)

    def last_change(self, runs):
        """The last ratio to the median of those that the same machine and build gave before, and
        whether it is further out than any of them by over half of what they span; None when it is
        not of the last run or there are too few before."""
        now = runs[self.runs[-1]]
        before = [math.log(ratio) for run, ratio in zip(self.runs[:-1], self.ratios)
                  if (runs[run].machine, runs[run].build) == (now.machine, now.build)]
        if len(before) < EARLIER_LEAST or self.runs[-1] != len(runs) - 1:
            return None
        last, least, most = math.log(self.ratios[-1]), min(before), max(before)
        room = (most - least) / 2
        return math.exp(last - statistics.median(before)), \
            not least - room <= last <= most + room


def reference(name, role, runs):
    """The variant of this role that is best in the newest run that has one: the same for all runs,
    so that the ratio changes only when one of the two does."""
    for run in reversed(runs):
        best = run.groups[name].best(role) if name in run.groups else None
        if best:
            return best.name
    return None


def trends(runs):
    """Of each variant of weft one to the best mutex variant and one to the best peer."""
    found = {}
    for number, run in enumerate(runs):
        for name, group in run.groups.items():
            by_name = {variant.name: variant for variant in group.variants}
            for role in ('baseline', 'peer'):
                other = by_name.get(reference(name, role, runs))
                for ours in (one for one in group.variants if one.role == 'weft'):
                    if other:
                        found.setdefault((name, ours.name, role), Trend(
                            name, ours.name, other.name, role)).add(number, ours, other)
    return list(found.values())


def mean_ratio(run_trends, number):
    """The geometric mean of the ratios of one run."""
    ratios = [trend.ratios[trend.runs.index(number)] for trend in run_trends
              if number in trend.runs]
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None
