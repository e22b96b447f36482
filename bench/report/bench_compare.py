# SPDX-License-Identifier: Apache-2.0
"""What has changed between two runs beyond the noise.

Rounds are what is compared: each is a process of its own, so that those of one run differ as two
runs of the same program do. The test is that of Westfall and Young (1993): the rounds of both runs
are mixed at random, many times; a difference counts when in at most one in ten of the mixtures any
benchmark at all differs by as much for its noise. So of ten comparisons of a build with itself nine
find nothing, however many benchmarks there are and whatever they have in common. Beside each
benchmark of weft all of a structure together are tested, and all of weft: a small change of many
shows there first.

What all others (mutex variants, peers) have changed by in the mean is the machine's change, and is
taken off."""
import dataclasses
import math

import numpy

ROUNDS_LEAST = 6
CONTROLS_LEAST = 10
MIXTURES = 4000
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
    old_rounds: int
    new_rounds: int
    machine: float  # what all others' times have changed by, 1 when they have not
    visible: float  # so much had to change for half of the benchmarks to show it

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
    machine = 0.0
    is_new = numpy.arange(old_rounds + new_rounds) >= old_rounds
    old_others, new_others = logs(old_results, False), logs(new_results, False)
    others = [name for name in new_others if name in old_others]
    if len(others) >= CONTROLS_LEAST:
        controls, *counts = matrix(old_others, new_others, others)
        if counts == [old_rounds, new_rounds]:
            mean = controls.mean(axis=1, keepdims=True)
            machine = float(mean[is_new].mean() - mean[~is_new].mean())
            rows = rows - mean
    names, rows = with_means(names, rows)
    difference, error = statistic(rows, is_new)
    # Seeded: two readings of the same two files agree.
    chance = numpy.random.default_rng(20)
    greatest = numpy.empty(MIXTURES)
    for mixture in range(MIXTURES):
        mixed, noise = statistic(rows, chance.permutation(is_new))
        greatest[mixture] = numpy.max(numpy.abs(mixed) / noise)
    limit = numpy.quantile(greatest, 1 - CHANCE)
    changes = [Change(name, math.exp(by), math.exp(by - limit * noise),
                      math.exp(by + limit * noise), bool(abs(by) > limit * noise))
               for name, by, noise in zip(names, difference, error)]
    return Comparison(changes, old_rounds, new_rounds, math.exp(machine),
                      math.exp(limit * float(numpy.median(error))) - 1)


def sentence(change):
    return f'{change.name} takes {change.times:.2f} times as long ' \
        f'({change.low:.2f} to {change.high:.2f})'


def as_text(comparison, name):
    """What there is to say, in lines."""
    lines = [f'compared with {name}: {comparison.new_rounds} rounds with '
             f'{comparison.old_rounds}; the machine itself {comparison.machine:.2f} times as slow']
    for word, changes in (('SLOWER', comparison.slower()), ('quicker', comparison.quicker())):
        lines += [f'  {word:8}{sentence(change)}' for change in changes]
    still = sum(not change.counts for change in comparison.changes)
    lines.append(f'  {still} of {len(comparison.changes)} show no change beyond the noise; half '
                 f'of them would have shown one of {comparison.visible:.0%}')
    return '\n'.join(lines)
