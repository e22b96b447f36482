# SPDX-License-Identifier: Apache-2.0
"""What has changed between two builds beyond the noise.

Two tests, both by Westfall and Young (1993): what is new and what is old is changed about at
random, many times; a difference counts when in at most one in twenty of these mixtures any
benchmark at all differs by as much for its noise. So of ten comparisons of a build with itself nine
find nothing, however many benchmarks there are and whatever they have in common.

compare_pairs() is for a run in which both builds were measured in turn (`--against`): each pair has
its difference, whose sign chance could as well have turned. Beside each benchmark of weft all of a
structure together are tested, and all of weft: a small change of many shows there first.

compare() is for two runs, of one build each (`--baseline`). Rounds are what is mixed: each is a
process of its own. But two runs of one build differ by more than their rounds do, as the machine
does other things meanwhile; how much more is what the others (mutex variants, peers) say, which
nobody has changed:

- What they have changed by, most of them, is the machine's change, and is taken off.
- By what they then still differ more than their rounds let expect, weft may differ, too: it is
  added to the noise, so much of it that the quarter of them that changed most is explained.
- Where threads hand over to each other that is not enough. A line that is near in one run may be
  far in the next, and threads may take turns in one way or another for a whole run: one build took
  70, 158 and 720 ns. There a change counts from HAND_OVER times on."""
import dataclasses
import math
import statistics
import textwrap

import numpy

ROUNDS_LEAST = 6
CONTROLS_LEAST = 10
PAIRS_LEAST = 12
MIXTURES = 1000
# What is left out of the rounds at either end; and of the differences of pairs, of which, where
# threads hand over, most are of two that are alike and some of one that is three times the other.
OFF_ROUNDS = 0.25
OFF_PAIRS = 0.4  # is_known_well() in against.cc has it, too
LEAST_ERROR = 0.005
# That a comparison of a build with itself finds anything. Half of what is promised: pairs end when
# their noise seems small, and what is added to the noise of two runs is an estimate.
CHANCE = 0.05
HAND_OVER = 5.0
# What two runs differ by at least as far as one knows without others.
UNKNOWN_ERROR = 0.05
WANTED = 0.1  # the change that one would like to see
NAMED_MOST = 20


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
            if (variant.role == 'weft') == weft and not variant.loads}


def alone(*runs):
    """The names of what one thread does, in each of these results."""
    return set.intersection(*({f'{group.name}/{variant.name}'
                               for group in results.groups for variant in group.variants
                               if variant.alone.count(True) > len(variant.times) / 2}
                              for results in runs))


def matrix(old, new, names):
    """A row for each round of both runs, a column for each name; and how many are old ones."""
    rounds = [min(len(run[name]) for name in names) for run in (old, new)]
    rows = [[run[name][number] for name in names]
            for run, count in ((old, rounds[0]), (new, rounds[1])) for number in range(count)]
    return numpy.array(rows), rounds[0], rounds[1]


def trimmed(rows, part):
    """For each column the mean without this part of the rounds at either end, and its squared
    standard error (Tukey and McLaughlin, 1963): some rounds are disturbed."""
    ordered = numpy.sort(rows, axis=0)
    count = len(ordered)
    off = int(count * part)
    mean = ordered[off:count - off].mean(axis=0)
    ordered[:off] = ordered[off]
    ordered[count - off:] = ordered[count - off - 1]
    return mean, ordered.var(axis=0, ddof=1) * count / (count - 2 * off) ** 2


def statistic(rows, is_new):
    """For each column the difference of the means, and its standard error."""
    old, old_square = trimmed(rows[~is_new], OFF_ROUNDS)
    new, new_square = trimmed(rows[is_new], OFF_ROUNDS)
    # A column that hardly varies must not make a difference out of nothing.
    return new - old, numpy.sqrt(old_square + new_square) + LEAST_ERROR


def judged(names, differences, limits):
    """The changes, each with the difference from which on it counts."""
    return [Change(name, math.exp(by), math.exp(by - limit), math.exp(by + limit),
                   bool(abs(by) > limit))
            for name, by, limit in zip(names, differences, limits)]


def machine_of_rounds(controls):
    """How slow the machine was in each round: what the middle half of the others took, each beside
    its own median. Some of them change by much for no reason."""
    ordered = numpy.sort(controls - numpy.median(controls, axis=0), axis=1)
    off = ordered.shape[1] // 4
    return ordered[:, off:ordered.shape[1] - off].mean(axis=1, keepdims=True)


def beside_noise(difference, error):
    """What two runs of the others differ by, beside the noise of their rounds: the standard
    deviation that explains the quarter that changed most, so that none of it is further out than
    where chance expects it; and somewhat more, as a few of them know it badly."""
    count = len(difference)
    normal = statistics.NormalDist()
    expected = numpy.array([normal.inv_cdf(0.5 + (place + 0.5) / count / 2)
                            for place in range(count - count // 4, count)])
    low, high = 0.0, 10.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        out = numpy.sort(numpy.abs(difference) / numpy.hypot(error, middle))[-len(expected):]
        low, high = (low, middle) if (out <= expected).all() else (middle, high)
    return high * (1 + 1.5 / math.sqrt(count))


def greatest_of_mixtures(rows, is_new):
    """The greatest difference for its noise of any column, in each mixture. Seeded: two readings of
    the same two files agree."""
    chance = numpy.random.default_rng(20)
    greatest = numpy.empty(MIXTURES)
    for mixture in range(MIXTURES):
        difference, error = statistic(rows, chance.permutation(is_new))
        greatest[mixture] = numpy.max(numpy.abs(difference) / error)
    return greatest


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
    by_one = alone(old_results, new_results)
    old_others, new_others = logs(old_results, False), logs(new_results, False)
    others = [name for name in new_others if name in old_others and name in by_one and
              (len(old_others[name]), len(new_others[name])) == (old_rounds, new_rounds)]
    machine, run_to_run = numpy.zeros((len(rows), 1)), UNKNOWN_ERROR
    if len(others) >= CONTROLS_LEAST:
        controls = matrix(old_others, new_others, others)[0]
        machine = machine_of_rounds(controls)
        run_to_run = beside_noise(*statistic(controls - machine, is_new))
    rows = rows - machine
    difference, error = statistic(rows, is_new)
    error = numpy.hypot(error, run_to_run)
    hand_over = numpy.array([name not in by_one for name in names])
    # What counts from HAND_OVER times on takes no part in what chance does to the rest.
    judged_rows = rows if hand_over.all() else rows[:, ~hand_over]
    limit = numpy.quantile(greatest_of_mixtures(judged_rows, is_new), 1 - CHANCE)
    limits = numpy.maximum(limit * error, hand_over * math.log(HAND_OVER))
    slower = float(machine[is_new].mean() - machine[~is_new].mean())
    return Comparison(judged(names, difference, limits),
                      f'{new_rounds} rounds with {old_rounds}; the machine itself '
                      f'{math.exp(slower):.2f} times as slow, which is taken off; what '
                      f'nobody has changed differs by {run_to_run:.1%} beside its noise')


def pairs_with_means(columns):
    """The columns of differences and those of the means: of each structure that has several, and
    of all. As some benchmarks have more pairs than others, a mean has as many as the least of
    them."""
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

    difference = numpy.concatenate([trimmed(table, OFF_PAIRS)[0] for table in tables])
    # Of what is left without the difference: the sign of that is not chance.
    tables = [table - trimmed(table, OFF_PAIRS)[0] for table in tables]
    chance = numpy.random.default_rng(20)
    mixed = numpy.empty((MIXTURES, len(names)))
    for mixture in range(MIXTURES):
        signs = chance.choice([-1.0, 1.0], max(counts))[:, None]
        mixed[mixture] = numpy.concatenate([trimmed(table * signs[:len(table)], OFF_PAIRS)[0]
                                            for table in tables])
    error = mixed.std(axis=0) + LEAST_ERROR
    limit = numpy.quantile(numpy.max(numpy.abs(mixed) / error, axis=1), 1 - CHANCE)
    # What is left is closer to its own middle than to the true one: of 24 pairs by two fifths, of
    # 150 by an eighth, as trying it with normal noise has shown.
    few = numpy.concatenate([numpy.full(table.shape[1], 1 + 2 / math.sqrt(len(table)))
                             for table in tables])
    return Comparison(judged(names, difference, limit * error * few),
                      f'{min(counts)} to {max(counts)} pairs of processes of each benchmark')


def sentence(change):
    return f'{change.name} takes {change.times:.2f} times as long ' \
        f'({change.low:.2f} to {change.high:.2f})'


def as_text(comparison, name):
    """What there is to say, in lines."""
    lines = [f'compared with {name}: {comparison.how}']
    for word, changes in (('SLOWER', comparison.slower()), ('quicker', comparison.quicker())):
        lines += [f'  {word:8}{sentence(change)}' for change in changes]
    still = [change for change in comparison.changes if not change.counts]
    blind = sorted((change for change in still if comparison.visible(change) > WANTED),
                   key=comparison.visible)
    lines.append(f'  {len(still)} of {len(comparison.changes)} show no change beyond the noise; '
                 f'one of {WANTED:.0%} would have shown in {len(still) - len(blind)} of them')
    if blind:
        named = [f'{change.name} {comparison.visible(change):.0%}' for change in blind]
        more = f' and {len(named) - NAMED_MOST} more' if len(named) > NAMED_MOST else ''
        lines += textwrap.wrap('not to be told, below: ' + ', '.join(named[:NAMED_MOST]) + more,
                               100, initial_indent='  ', subsequent_indent='    ',
                               break_on_hyphens=False, break_long_words=False)
    return '\n'.join(lines)
