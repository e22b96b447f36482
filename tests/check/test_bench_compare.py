#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_bench_compare.py ROOT: the statistics of --baseline and --against, on results that are made
up here: what one build gives twice is no change, one of 10 % is found, and what goes now one way
and now another is not taken for one. Python is the one of bench_report.py: it has numpy."""
import os
import random
import sys

from c_source import Tap

TRIES = 20
WEFT = [f'delta/scenario_{number}/weft' for number in range(8)]
OTHERS = [f'delta/scenario_{number}/{name}' for number in range(8) for name in ('mutex', 'peer')]
QUEUE = 'alpha_queue/2P2C/weft'  # whose threads hand over to each other


class Compared:
    """Calls bench_compare on two runs."""

    def __init__(self, root):
        sys.path.insert(0, os.path.join(root, 'bench', 'report'))
        import bench_compare
        import bench_results
        bench_compare.MIXTURES = 200  # enough here, and five times as fast
        self.compare, self.compare_pairs = bench_compare.compare, bench_compare.compare_pairs
        self.as_text = bench_compare.as_text
        self.bench_results = bench_results

    def run(self, seed, rounds=14, noise=0.02, times=None, run_to_run=0.0, modes=None,
            others=OTHERS):
        """A run: each time varies by this noise; all those of one benchmark are times[name] as
        long, and by chance more or less by run_to_run; each by one of modes[name]."""
        chance, modes = random.Random(seed), modes or {}
        groups = {}
        for name in WEFT + list(others) + [QUEUE]:
            structure, scenario, variant = name.split('/')
            group = groups.setdefault((structure, scenario), self.bench_results.Group(
                structure, scenario, 'time'))
            long = 10 * (times or {}).get(name, 1) * chance.lognormvariate(0, run_to_run)
            group.variants.append(self.bench_results.Variant(
                variant, 'weft' if variant == 'weft' else 'baseline',
                [long * chance.lognormvariate(0, noise) * chance.choice(modes.get(name, [1]))
                 for _ in range(rounds)], alone=[name != QUEUE] * rounds))
        return self.bench_results.Results({}, list(groups.values()), [], True)

    def named(self, seed, old, new):
        """What is named as changed in a comparison of two runs, which are made of this seed."""
        comparison = self.compare(self.run(1000 + seed, **old), self.run(2000 + seed, **new))
        return sorted(change.name for change in comparison.slower() + comparison.quicker()), \
            self.as_text(comparison, 'old')

    def named_pairs(self, seed, noise, modes, times=1.0):
        """What is named when both builds are measured in turn, 150 times."""
        chance = random.Random(3000 + seed)
        groups = [self.bench_results.Group('alpha', f'scenario_{number}', 'time', [
            self.bench_results.Variant('weft', 'weft')]) for number in range(4)]
        for group in groups:
            for _ in range(150):
                ours, theirs = (chance.choice(modes) * chance.lognormvariate(0, noise)
                                for _ in range(2))
                group.variants[0].times.append(ours * (times if group is groups[1] else 1))
                group.variants[0].against.append(theirs)
        comparison = self.compare_pairs(self.bench_results.Results({}, groups, [], True))
        return [change.name for change in comparison.slower() + comparison.quicker()]


def most(tries, right):
    """Complaints, unless nine of ten tries are right."""
    wrong = [named for named in tries if not right(named)]
    return wrong if len(wrong) > len(tries) / 10 else []


def check_same(tap, compared):
    """What nobody has changed."""
    name = WEFT[3]
    for what, old, new in (
            ('on a quiet machine', {}, {}),
            ('on a noisy one', {'noise': 0.2}, {'noise': 0.2}),
            ('with few rounds', {'rounds': 6}, {'rounds': 8}),
            ('on a machine that is a fifth slower', {},
             {'times': {name: 1.2 for name in WEFT + OTHERS + [QUEUE]}}),
            ('on one that differs by 5 % from run to run, for each by itself', {'run_to_run': 0.05},
             {'run_to_run': 0.05}),
            ('where some of the others change by much', {},
             {'times': {OTHERS[2]: 1.9, OTHERS[3]: 1.9, name: 1.9}}),
            ('which goes one way or another in each round', {'modes': {name: [1, 2]}},
             {'modes': {name: [1, 2]}}),
            ('whose threads take turns differently in each run', {'times': {QUEUE: 7.0}},
             {'times': {QUEUE: 15.8}}),
            ('so, for long', {'times': {QUEUE: 15.8}}, {'times': {QUEUE: 72}})):
        tap.point(f'the same build names nothing {what}', most(
            [compared.named(seed, old, new) for seed in range(TRIES)], lambda said: not said[0]))


def check_changed(tap, compared):
    name = WEFT[5]
    slower = {'times': {name: 1.1}}
    tap.point('10 % of one thread are found, and nothing else is', most(
        [compared.named(seed, {}, slower) for seed in range(TRIES)],
        lambda said: said[0] == [name]))
    tap.point('so are they on a machine that has changed', most(
        [compared.named(seed, {}, {'times': {
            **{name: 0.9 for name in WEFT + OTHERS + [QUEUE]}, name: 0.99}})
         for seed in range(TRIES)], lambda said: said[0] == [name]))
    tap.point('where rounds vary by a tenth, more of them find it', most(
        [compared.named(seed, {'noise': 0.1, 'rounds': 100}, {
            **slower, 'noise': 0.1, 'rounds': 100}) for seed in range(TRIES)],
        lambda said: said[0] == [name]))
    tap.point('a hand-over that takes six times as long is found', most(
        [compared.named(seed, {}, {'times': {QUEUE: 6}}) for seed in range(TRIES)],
        lambda said: said[0] == [QUEUE]))


def check_blind(tap, compared):
    """It says what it could not have seen."""
    named, said = compared.named(1, {}, {})
    tap.point('a hand-over is said not to be told', [] if f'below: {QUEUE} 400%' in said and
              'would have shown in 8 of them' in said else [said])
    named, said = compared.named(1, {'run_to_run': 0.05}, {'run_to_run': 0.05})
    tap.point('where two runs differ by too much for 10 %, all are', [] if not named and
              'would have shown in 0 of them' in said and all(name in said for name in WEFT)
              else [said])
    named, said = compared.named(1, {'others': OTHERS[:8]}, {'others': OTHERS[:8]})
    tap.point('so are they where too few others have been measured', [] if not named and
              'would have shown in 0 of them' in said else [said])


def check_pairs(tap, compared):
    for what, noise, modes in (('vary by a tenth', 0.1, [1]),
                               ('are now three times as long and now not', 0.06, [1, 1, 3])):
        tap.point(f'pairs of one build whose times {what} name nothing', most(
            [compared.named_pairs(seed, noise, modes) for seed in range(TRIES)],
            lambda named: not named))
        tap.point('10 % of one of them are found', most(
            [compared.named_pairs(seed, noise, modes, 1.1) for seed in range(TRIES)],
            lambda named: 'alpha/scenario_1/weft' in named))


def main():
    tap = Tap()
    compared = Compared(sys.argv[1])
    check_same(tap, compared)
    check_changed(tap, compared)
    check_blind(tap, compared)
    check_pairs(tap, compared)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
