# SPDX-License-Identifier: Apache-2.0
"""What has changed between two builds beyond the noise.

Two tests, both by Westfall and Young (1993): what is new and what is old is changed about at
random, many times; a difference counts when in at most one in ten of these mixtures any benchmark
at all differs by as much for its noise. So of ten comparisons of a build with itself nine find
nothing, however many benchmarks there are and whatever they have in common. Beside each benchmark
of weft all of a structure together are tested, and all of weft: a small change of many shows there
first.

compare_pairs() is for a run in which both builds were measured in turn (`--against`): each pair has
its difference, whose sign chance could as well have turned.

compare() is for two runs, of one build each (`--baseline`). Rounds are what is mixed: each is a
process of its own, so that those of one run differ as two runs of the same program do. What all
others (mutex variants, peers) have changed by, most of them, is the machine's change, and is taken
off; and where they differ by more than their rounds do, so may those of weft, for no reason of
theirs. It finds less, as the machine also changes for one benchmark and not for another."""
import dataclasses
import math

import numpy

ROUNDS_LEAST = 6
CONTROLS_LEAST = 10
PAIRS_LEAST = 12
MIXTURES = 1000
LEAST_ERROR = 0.005
CHANCE = 0.1  # that a comparison of a build with itself finds anything


@dataclasses.dataclass
class Change:
    """Of a benchmark, or the mean of several; times are compared, so above 1 is slower."""
    name: str
    times: float  # new time / old time
    low: float
    high: float
    counts: bool


@dataclasses.dataclass
class Comparison:
    changes: list
    how: str  # what was compared, a part of a sentence

    def visible(self, change):
        """By which part a benchmark must have changed to show it."""
        return change.high / change.times - 1

    def slower(self):
        return [change for change in self.changes if change.counts and change.times > 1]

    def quicker(self):
        return [change for change in self.changes if change.counts and change.times < 1]


def logs(results, weft):
    """The logarithms of the times of each benchmark that is of weft, or is not, by round."""
    return {f'{group.name}/{variant.name}': [math.log(time) for time in variant.times]
            for group in results.groups for variant in group.variants
            if (variant.role == 'weft') == weft}


def matrix(old, new, names):
    """A row for each round of both runs, a column for each name; and how many are old ones."""
    rounds = [min(len(run[name]) for name in names) for run in (old, new)]
    rows = [[run[name][number] for name in names]
            for run, count in ((old, rounds[0]), (new, rounds[1])) for number in range(count)]
    return numpy.array(rows), rounds[0], rounds[1]


def with_means(names, rows):
    """The columns and those of the means: of each structure that has several, and of all."""
    names, columns = list(names), [rows]
    structures = {}
    for number, name in enumerate(names):
        structures.setdefault(name.split('/')[0], []).append(number)
    for structure, numbers in structures.items():
        if len(numbers) > 1:
            names.append(f'all of {structure}')
            columns.append(rows[:, numbers].mean(axis=1, keepdims=True))
    if len(structures) > 1:
        names.append('all of weft')
        columns.append(rows.mean(axis=1, keepdims=True))
    return names, numpy.hstack(columns)


def trimmed(rows):
    """For each column the mean without the quarter of rounds at either end, and its squared
    standard error (Tukey and McLaughlin, 1963): some rounds are disturbed."""
    ordered = numpy.sort(rows, axis=0)
    count = len(ordered)
    off = count // 4
    mean = ordered[off:count - off].mean(axis=0)
    ordered[:off] = ordered[off]
    ordered[count - off:] = ordered[count - off - 1]
    return mean, ordered.var(axis=0, ddof=1) * count / (count - 2 * off) ** 2


def statistic(rows, is_new):
    """For each column the difference of the means, and its standard error."""
    old, old_square = trimmed(rows[~is_new])
    new, new_square = trimmed(rows[is_new])
    # A column that hardly varies must not make a difference out of nothing.
    return new - old, numpy.sqrt(old_square + new_square) + LEAST_ERROR


def judged(names, difference, error, greatest):
    """The changes, by the greatest difference for its noise that was found in each mixture."""
    limit = numpy.quantile(greatest, 1 - CHANCE)
    return [Change(name, math.exp(by), math.exp(by - limit * noise), math.exp(by + limit * noise),
                   bool(abs(by) > limit * noise))
            for name, by, noise in zip(names, difference, error)]


def machine_of_rounds(controls):
    """How slow the machine was in each round: what the middle half of the others took, each beside
    its own median. Some of them, in which threads wait for each other, change by much for no
    reason."""
    ordered = numpy.sort(controls - numpy.median(controls, axis=0), axis=1)
    off = ordered.shape[1] // 4
    return ordered[:, off:ordered.shape[1] - off].mean(axis=1, keepdims=True)


def run_to_run(controls, is_new):
    """How many times as much as the noise of their rounds lets expect the others have changed,
    which nobody has changed: at least 1. Two runs differ by more than their rounds do when the
    machine has done so between them, each benchmark in its way."""
    difference, error = statistic(controls, is_new)
    return max(1.0, float(numpy.quantile(numpy.abs(difference) / error, 0.9)) / 1.645)


def compare(old_results, new_results):
    """Raises ValueError, whose text is for the user, when the two cannot be compared."""
    old, new = logs(old_results, True), logs(new_results, True)
    names = [name for name in new if name in old]
    if not names:
        raise ValueError('the two runs have no benchmark of weft in common')
    rows, old_rounds, new_rounds = matrix(old, new, names)
    if min(old_rounds, new_rounds) < ROUNDS_LEAST:
        raise ValueError(f'{min(old_rounds, new_rounds)} rounds are too few to tell a change '
                         f'from noise: measure both with --repetitions {ROUNDS_LEAST} or more')
    is_new = numpy.arange(old_rounds + new_rounds) >= old_rounds
    machine, more = numpy.zeros((len(rows), 1)), 1.0
    old_others, new_others = logs(old_results, False), logs(new_results, False)
    others = [name for name in new_others if name in old_others]
    if len(others) >= CONTROLS_LEAST:
        controls, *counts = matrix(old_others, new_others, others)
        if counts == [old_rounds, new_rounds]:
            machine = machine_of_rounds(controls)
            more = run_to_run(controls - machine, is_new)
    names, rows = with_means(names, rows - machine)
    difference, error = statistic(rows, is_new)
    error *= more
    # Seeded: two readings of the same two files agree.
    chance = numpy.random.default_rng(20)
    greatest = numpy.empty(MIXTURES)
    for mixture in range(MIXTURES):
        mixed, noise = statistic(rows, chance.permutation(is_new))
        greatest[mixture] = numpy.max(numpy.abs(mixed) / noise)
    slower = float(machine[is_new].mean() - machine[~is_new].mean())
    return Comparison(judged(names, difference, error, greatest),
                      f'{new_rounds} rounds with {old_rounds}; the machine itself '
                      f'{math.exp(slower):.2f} times as slow, which is taken off; what did not '
                      f'change differs {more:.1f} times as much as its rounds say')


def pairs_with_means(columns):
    """The columns of differences and those of the means, as with_means(). As some benchmarks have
    more pairs than others, a mean has as many as the least of them."""
    means, structures = {}, {}
    for name in columns:
        structures.setdefault(name.split('/')[0], []).append(name)
    shared = {f'all of {structure}': members for structure, members in structures.items()}
    if len(structures) > 1:
        shared['all of weft'] = list(columns)
    for name, members in shared.items():
        if len(members) > 1:
            count = min(len(columns[member]) for member in members)
            means[name] = numpy.mean([columns[member][:count] for member in members], axis=0)
    return {**columns, **means}


def compare_pairs(results):
    """Of a run that was measured in pairs. Raises ValueError, whose text is for the user."""
    columns = {f'{group.name}/{variant.name}':
               numpy.log(numpy.array(variant.times) / numpy.array(variant.against))
               for group in results.groups for variant in group.variants
               if len(variant.against) == len(variant.times) >= PAIRS_LEAST}
    if not columns:
        raise ValueError(f'no benchmark has {PAIRS_LEAST} pairs: too few to tell a change from '
                         'noise')
    counts = [len(column) for column in columns.values()]
    columns = pairs_with_means(columns)
    # Those of one length stand side by side.
    tables = {}
    for name, column in columns.items():
        tables.setdefault(len(column), []).append(name)
    names = [name for table in tables.values() for name in table]
    tables = [numpy.column_stack([columns[name] for name in table]) for table in tables.values()]

    def statistics(signs):
        parts = [trimmed(table * signs[:len(table), None]) for table in tables]
        return (numpy.concatenate([part[0] for part in parts]),
                numpy.sqrt(numpy.concatenate([part[1] for part in parts])) + LEAST_ERROR)

    most = max(counts)
    difference, error = statistics(numpy.ones(most))
    chance = numpy.random.default_rng(20)
    greatest = numpy.empty(MIXTURES)
    for mixture in range(MIXTURES):
        mixed, noise = statistics(chance.choice([-1.0, 1.0], most))
        greatest[mixture] = numpy.max(numpy.abs(mixed) / noise)
    return Comparison(judged(names, difference, error, greatest),
                      f'{min(counts)} to {most} pairs of processes of each benchmark')


def sentence(change):
    return f'{change.name} takes {change.times:.2f} times as long ' \
        f'({change.low:.2f} to {change.high:.2f})'


def as_text(comparison, name):
    """What there is to say, in lines."""
    lines = [f'compared with {name}: {comparison.how}']
    for word, changes in (('SLOWER', comparison.slower()), ('quicker', comparison.quicker())):
        lines += [f'  {word:8}{sentence(change)}' for change in changes]
    still = [change for change in comparison.changes if not change.counts]
    lines.append(f'  {len(still)} of {len(comparison.changes)} show no change beyond the noise')
    if still:
        visible = sorted((comparison.visible(change), change.name) for change in still)
        lines.append(f'  half of these would have shown one of {visible[len(visible) // 2][0]:.0%},'
                     f' and {visible[-1][1]} one of {visible[-1][0]:.0%}')
    return '\n'.join(lines)
