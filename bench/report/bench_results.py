# SPDX-License-Identifier: Apache-2.0
"""What `weft bench --json` has written: figures by group and variant, and what was said of the
machine. A file that ends in the middle, of a run that was killed, is read as far as it goes."""
import dataclasses
import json
import re
import statistics

# What is said of the machine, and how it is called in the results.
FACTS = (('cpu', 'processor'), ('cpus', 'CPUs'), ('governor', 'frequency governor'),
         ('kernel', 'kernel'), ('compiler', 'compiler'), ('flags', 'flags'), ('weft', 'weft'),
         ('commit', 'commit'), ('plan', 'threads'), ('pinned', 'pinned'),
         ('counter_additions', 'counters add'), ('measurement', 'measured'), ('peers', 'peers'),
         ('left_out', 'peers left out'))
ROLES = ('weft', 'baseline', 'peer', 'floor')


class NotResults(Exception):
    """A file that is not what weft bench writes; the text is for the user."""


@dataclasses.dataclass
class Variant:
    """One implementation in one scenario: a time in ns for each repetition."""
    name: str
    role: str
    times: list = dataclasses.field(default_factory=list)
    p99s: list = dataclasses.field(default_factory=list)
    p999s: list = dataclasses.field(default_factory=list)
    # Under load: (arrivals in a microsecond, p50, p99, p99.9, p99.99 in ns) of each repetition.
    loads: list = dataclasses.field(default_factory=list)
    # Of a run --against another program: its time for each of ours.
    against: list = dataclasses.field(default_factory=list)
    # Of each repetition: whether one thread did it, so that none had to wait for another.
    alone: list = dataclasses.field(default_factory=list)

    @property
    def median(self):
        return statistics.median(self.times)

    @property
    def p99(self):
        return statistics.median(self.p99s) if self.p99s else None

    @property
    def p999(self):
        return statistics.median(self.p999s) if self.p999s else None

    def part(self, part):
        """The time that this part (0 to 1) of the repetitions took at most."""
        return quantile(self.times, part)


@dataclasses.dataclass
class Group:
    """The variants of one scenario of one structure: they do the same work."""
    structure: str
    scenario: str
    unit: str  # 'rate', 'time', or 'bytes', whose number stands for a time
    variants: list = dataclasses.field(default_factory=list)

    @property
    def name(self):
        return f'{self.structure}/{self.scenario}'

    def best(self, *roles):
        """The quickest variant of these roles, or None."""
        there = [variant for variant in self.variants if variant.role in roles]
        return min(there, key=lambda variant: variant.median, default=None)

    def ratio(self, *roles):
        """How many times the best of weft is better than the best of these roles, or None; also
        under load, where each has a rate of its own."""
        if any(variant.loads for variant in self.variants):
            return None
        ours, other = self.best('weft'), self.best(*roles)
        return other.median / ours.median if ours and other else None


@dataclasses.dataclass
class Results:
    """All of a file."""
    context: dict
    groups: list
    errors: list  # of (name, what was wrong)
    complete: bool

    def structures(self):
        """The groups of each structure, in the order of the file."""
        rooms = {}
        for group in self.groups:
            rooms.setdefault(group.structure, []).append(group)
        return rooms

    def noise(self):
        """How much longer a loop of constant work took at one time than at another, or None."""
        times = self.context['loop_ns']
        return quantile(times, 0.9) / min(times) - 1 if len(times) > 1 else None


def quantile(values, part):
    """Linear between the two values that are next to it."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def parse(text, path):
    """The content, and whether it was all there."""
    try:
        return json.loads(text), True
    except json.JSONDecodeError:
        pass
    # What a killed run leaves ends within the list of benchmarks, after whole ones.
    for end in reversed([match.end() for match in re.finditer(r'\n    \}', text)]):
        try:
            return json.loads(text[:end] + ']}'), False
        except json.JSONDecodeError:
            continue
    raise NotResults(f'{path} is not JSON that weft bench has written')


def machine_of(context):
    """The context with the lists in it, which the JSON has as text."""
    context = dict(context)
    names = ('cpu', 'core', 'cache', 'node', 'package')
    context['pus'] = [dict(zip(names, map(int, pu.split(','))))
                      for pu in context.get('pus', '').split()]
    context['peers'], _, context['left_out'] = context.get('peers', '').partition('; left out: ')
    table = context.pop('core_to_core_ns', '')
    if table:
        cpus, *rows = ([int(number) for number in line.split()] for line in table.split(';'))
        context['core_to_core_ns'] = {'cpus': cpus, 'rows': rows}
    return context


def load(path):
    """Raises NotResults or OSError."""
    with open(path, encoding='utf-8', errors='replace') as file:
        content, complete = parse(file.read(), path)
    if not isinstance(content, dict) or 'benchmarks' not in content or \
            'weft' not in content.get('context', {}):
        raise NotResults(f'{path} is not JSON that weft bench has written')
    groups, errors = {}, []
    context = machine_of(content['context'])
    context['loop_ns'] = []
    for run in content['benchmarks']:
        parts = run['name'].split('/')
        if run.get('run_type') != 'iteration' or len(parts) != 3:
            continue
        if run.get('error_occurred'):
            errors.append((run['name'], run.get('error_message', '')))
            continue
        structure, scenario, name = parts
        # "weft rate": what the benchmark is to the comparison, and how its figure is shown.
        role, _, unit = run.get('label', '').partition(' ')
        if role == 'noise':
            context['loop_ns'].append(run['real_time'])
            continue
        if role not in ROLES or run['real_time'] <= 0:
            raise NotResults(f'{path}: {run["name"]} has no role, or no time')
        group = groups.setdefault((structure, scenario),
                                  Group(structure, scenario, unit or 'time'))
        variant = next((known for known in group.variants if known.name == name), None)
        if variant is None:
            variant = Variant(name, role)
            group.variants.append(variant)
        variant.times.append(run['real_time'])
        variant.alone.append(bool(run.get('alone')))
        for kept, key in ((variant.p99s, 'p99_ns'), (variant.p999s, 'p999_ns')):
            if run.get(key):
                kept.append(run[key])
        if run.get('against_ns'):
            variant.against.append(run['against_ns'])
        if run.get('arrivals_per_us'):
            variant.loads.append((run['arrivals_per_us'], run['real_time'], *(
                run.get(name, run['real_time']) for name in ('p99_ns', 'p999_ns', 'p9999_ns'))))
    return Results(context, list(groups.values()), errors, complete)


def facts_of(results):
    """What is said of the machine and the run, as pairs of texts."""
    facts = [(label, results.context[key]) for key, label in FACTS if results.context.get(key)]
    noise = results.noise()
    if noise is not None:
        facts.append(('noise', f'a loop that takes the same time varied by {noise:.1%}'))
    return facts + [('date', results.context.get('date', ''))]


def text_of(ns, unit):
    if unit == 'rate':
        return f'{1e3 / ns:.3g} M/s' if 1e3 / ns < 1000 else f'{1e3 / ns:.0f} M/s'
    if unit == 'bytes':
        return f'{ns:.0f} B'
    return f'{ns:.3g} ns' if ns < 999.5 else f'{ns / 1e3:.3g} us' if ns < 999.5e3 \
        else f'{ns / 1e6:.3g} ms'
