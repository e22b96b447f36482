#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_bench_report.py WEFT: the report of `weft bench --html`, the comparisons of --baseline and
--against, the history and its trend, and the tables of --markdown, on results that are made up
here, so that what must come out is known; and once on measured ones."""
import html.parser
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from c_source import Tap

GROUPS = [('alpha_queue', scenario, 'rate', ['weft', 'mutex_ring', 'other'])
          for scenario in ('1P1C', '2P2C', '4P4C', '8P8C')] + \
    [('beta', scenario, 'time', ['weft', 'mutex_<&>', 'bare_word'])
     for scenario in ('alone', '2_threads', 'load_10', 'load_80')]
FORK_GROUPS = [('gamma', scenario, 'time', ['weft', 'other'])
               for scenario in ('walk_1_worker', 'walk_2_workers', 'walk_all_cores')]
# What one thread does, which is compared with an earlier run.
COMPARED = GROUPS + [('delta', f'scenario_{number}', 'time', ['weft', 'mutex_ring', 'other'])
                     for number in range(6)]
ROLES = {'weft': 'weft', 'mutex_ring': 'baseline', 'mutex_<&>': 'baseline', 'other': 'peer',
         'bare_word': 'floor'}
CONTEXT = {'weft': '1.2.3', 'cpu': 'Processor <X>', 'kernel': 'Linux 1', 'cpus': '2',
           'pus': '0,0,0,0,0 1,1,0,0,0', 'core_to_core_ns': '0 1;0 320;320 0', 'pinned': 'yes',
           'percent_taken_by_others': '0', 'date': '2000-01-01',
           'peers': 'libone-dev 1.0; left out: libtwo-dev 2.0 (its adapter does not compile)'}
FETCHES = ('src', 'href', 'xlink:href', 'data', 'action', 'poster', 'srcset')


def made_up(seed, rounds=14, noise=0.02, slower=None, error=None, groups=GROUPS, machine=0.01,
            **context):
    """Results whose times vary by this noise, and the machine by its own; those whose name begins
    with slower[0] are slower by the factor slower[1]."""
    chance = random.Random(seed)
    runs = []
    for _ in range(rounds):
        for structure, scenario, unit, variants in groups:
            for place, name in enumerate(variants):
                full = f'{structure}/{scenario}/{name}'
                time_ns = 10 * (1 + place) * chance.lognormvariate(0, noise)
                if slower and full.startswith(slower[0]):
                    time_ns *= slower[1]
                runs.append({'name': full, 'run_type': 'iteration', 'real_time': time_ns,
                             'label': f'{ROLES[name]} {unit}'})
                if structure == 'beta':
                    runs[-1]['p99_ns'] = 5 * time_ns
                if structure == 'delta':
                    runs[-1]['alone'] = 1
                if scenario.startswith('load'):
                    runs[-1]['arrivals_per_us'] = int(scenario[5:])
        runs.append({'name': 'machine/loop/all_places', 'run_type': 'iteration',
                     'real_time': 100 * chance.lognormvariate(0, machine), 'label': 'noise'})
    for _ in range(2 if error else 0):
        runs.append({'name': error, 'run_type': 'iteration', 'real_time': 0, 'label': 'weft rate',
                     'error_occurred': True, 'error_message': 'what came out is wrong'})
    return {'context': {**CONTEXT, **context}, 'benchmarks': runs}


def made_up_pairs(seed, pairs=40, slower=None):
    """Results of a run against another program, on a machine that is three times as slow for part
    of the time: for both, as it is for each of a pair."""
    chance = random.Random(seed)
    runs = []
    for number in range(pairs):
        for name in (f'{structure}/{scenario}/weft' for structure, scenario, _, _ in GROUPS):
            machine = chance.choice([1, 1, 3])
            times = [machine * chance.lognormvariate(3, 0.08) for _ in range(2)]
            if slower and name.startswith(slower[0]):
                times[0] *= slower[1]
            # Some need fewer pairs.
            if number < 24 or name.startswith('alpha'):
                runs.append({'name': name, 'run_type': 'iteration', 'real_time': times[0],
                             'against_ns': times[1], 'label': 'weft time'})
    return {'context': {**CONTEXT, 'against': 'other/weft-bench'}, 'benchmarks': runs}


class Page(html.parser.HTMLParser):
    """What a page would fetch or run, its text, and tags that do not match."""
    VOID = {'meta', 'br', 'img', 'link', 'hr', 'input'}

    def __init__(self, content):
        super().__init__()
        self.fetched, self.tags, self.text, self.open, self.wrong = [], set(), [], [], []
        self.feed(content)
        self.wrong += [f'not closed: {tag}' for tag in self.open]

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in FETCHES and not (value or '').startswith(('#', 'data:')):
                self.fetched.append(value)
            if name == 'style' and 'url(' in value and 'url(#' not in value:
                self.fetched.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f'</{tag}> closes another')

    def handle_data(self, data):
        self.text.append(data)


class Reports:
    """Calls weft bench on files of one folder."""

    def __init__(self, weft, folder):
        self.weft, self.folder = weft, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(content if isinstance(content, str) else json.dumps(content, indent=2))
        return self.path(name)

    def call(self, *arguments, **options):
        return subprocess.run([self.weft, 'bench', *arguments], capture_output=True, text=True,
                              check=False, **options)

    def page(self, name):
        with open(self.path(name), encoding='utf-8') as file:
            return file.read()


def expect(result, status, out=(), err=()):
    """Complaints, unless it ended so, said this, and did not say what begins with a `!`."""
    problems = [] if result.returncode == status else [f'status {result.returncode}']
    for said, wanted in ((result.stdout, out), (result.stderr, err)):
        problems += [f'wanted: {words}' for words in wanted
                     if (words.lstrip('!') in said) == words.startswith('!')]
    return problems + ([result.stdout, result.stderr] if problems else [])


def check_page(tap, reports):
    reports.write('run.json', made_up(1, error='alpha_queue/1P1C/weft_broken', cpus='4',
                                      groups=GROUPS + FORK_GROUPS, machine=0.2))
    result = reports.call('--from', reports.path('run.json'), '--html', reports.path('run.html'))
    tap.point('a report is made of an earlier run', expect(result, 0))
    content = reports.page('run.html')
    page = Page(content)
    text = ' '.join(page.text)
    names = [f'{structure}/{scenario}/{name}' for structure, scenario, _, variants in GROUPS
             for name in variants]
    tap.point('it has every benchmark, and the command that measures it again', [
        name for name in names if name not in page.text or
        not any(part.startswith("weft bench '^" + re.escape(name)) for part in page.text)])
    tap.point('its tags match', page.wrong)
    tap.point('it fetches nothing and runs no script', page.fetched + [
        tag for tag in page.tags if tag in ('script', 'iframe', 'object', 'embed', 'link')] + [
        word for word in ('@import', 'javascript:') if word in content])
    tap.point('it says what the machine is and what went wrong', [word for word in (
        'Processor <X>', 'alpha_queue/1P1C/weft_broken gave a wrong result', '320', 'CPU 1',
        'the machine was not quiet', 'libone-dev 1.0', 'peers left out',
        'libtwo-dev 2.0 (its adapter does not compile)')
        if word not in text] + ([] if text.count('weft_broken') == 1 else ['said for each round']))
    tap.point('latency under load is a curve', [word for word in (
        'latency under load', 'p99.99', 'the points are at 10, 80 %') if word not in text])
    tap.point('what differs in the number of threads or workers is a curve', [
        word for word in ('alpha_queue: rate over threads', 'gamma: rate over threads')
        if word not in content])
    tap.point('pictures follow light and dark', [
        colour for colour in re.findall(r'(?:fill|stroke): #0102\w+', content)] + [
        name for name in ('--weft', '--ink', 'prefers-color-scheme: dark')
        if name not in content] + (
        [] if content.count('<svg') >= 5 else [f'{content.count("<svg")} pictures']))
    chromium = shutil.which('chromium')
    name = 'a browser draws it without a complaint'
    if chromium is None:
        tap.skip(name, 'no chromium')
        return
    drawn = subprocess.run(
        [chromium, '--headless=new', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr',
         f'--user-data-dir={reports.path("chromium")}', '--virtual-time-budget=2000',
         '--dump-dom', 'file://' + reports.path('run.html')],
        capture_output=True, text=True, check=False, timeout=100)
    tap.point(name, [line for line in drawn.stderr.split('\n') if ':CONSOLE' in line] + [
        structure for structure in ('alpha queue', 'beta') if structure not in drawn.stdout])


def heights(content, line):
    """How high the points of a line are in the page's only picture with it, from the first one."""
    path = re.search(rf'id="c\d+-line-{line}">\s*<path d="([^"]*)"', content)[1]
    up = [-float(number) for number in re.findall(r'[ML] [\d.]+ ([\d.]+)', path)]
    return [height - up[0] for height in up]


def check_scaling(tap, reports):
    """Threads that do not wait for each other: the same time for each update, whatever their
    number, is a rate that grows up to the number of cores."""
    groups = [('gamma', scenario, 'time', ['weft', 'mutex_ring'])
              for scenario in ('1_thread', '2_threads', '8_threads')]
    wrong = []
    for cpus, share in (('1', [0, 0]), ('2', [1, 1]), ('4', [1, 3]), ('16', [1, 7])):
        reports.write('scaling.json', made_up(1, noise=0, groups=groups, cpus=cpus))
        reports.call('--from', reports.path('scaling.json'), '--html', reports.path('scaling.html'))
        for line in ('weft', 'ideal'):
            _, second, third = heights(reports.page('scaling.html'), line)
            if abs(second * share[1] - third * share[0]) > 0.5 or (second > 1) != (share[0] > 0):
                wrong.append(f'{cpus} CPUs, {line}: {second}, {third}')
    tap.point('what scales lies on the ideal line, which ends at the number of cores', wrong)


# What is left of red, green and blue light for those who lack one kind of cones (Machado, Oliveira
# and Fernandes, 2009, severity 1).
BLINDNESS = {
    'protanopia': ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)),
    'deuteranopia': ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                     (-0.011820, 0.042940, 0.968881)),
    'tritanopia': ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                   (0.004733, 0.691367, 0.303900)),
    'all cones': ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}


def light_of(colour):
    parts = [int(colour[place:place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055)**2.4 for part in parts]


def lab_of(light):
    """CIE L*a*b*, in which 2.3 is a difference that one just sees."""
    matrix = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(map(lambda by, part: by * part, row, light)) / white
           for row, white in zip(matrix, (0.9505, 1, 1.089))]
    x, y, z = (part**(1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def luminance(colour):
    return sum(map(lambda by, part: by * part, (0.2126, 0.7152, 0.0722), light_of(colour)))


def check_colours(tap, reports):
    style = reports.page('run.html')
    light, dark = (dict(re.findall(r'--(\w+): (#\w{6})', part)) for part in
                   style[:style.index('</style>')].split('prefers-color-scheme: dark'))
    alike, faint = [], []
    for name, colours in (('light', light), ('dark', {**light, **dark})):
        roles = ['weft', 'baseline', 'peer', 'floor']
        for kind, matrix in BLINDNESS.items():
            seen = {role: lab_of([min(1, max(0, sum(map(lambda by, part: by * part, row,
                                                        light_of(colours[role])))))
                                  for row in matrix]) for role in roles}
            alike += [f'{name}, {kind}: {one} and {other}' for one in roles for other in roles
                      if one < other and math.dist(seen[one], seen[other]) < 20]
        paper = luminance(colours['paper'])
        for role, least in (*((role, 2.5) for role in roles), ('ink', 7)):
            bright, less = sorted((luminance(colours[role]), paper), reverse=True)
            if (bright + 0.05) / (less + 0.05) < least:
                faint.append(f'{name}: {role} {(bright + 0.05) / (less + 0.05):.2f}')
    tap.point('colour-blind people can tell the colours apart', alike)
    tap.point('all of them can be seen on light paper and on dark', faint)


def check_comparison(tap, reports):
    """What test_bench_compare knows of them goes through the program and into the report."""
    reports.write('old.json', made_up(2, groups=COMPARED))
    for name, content, status, words in (
            ('the same build', made_up(3, groups=COMPARED), 0,
             ['!SLOWER', '!quicker', 'show no change beyond the noise; one of 10% would',
              'not to be told, below: ', 'alpha_queue/1P1C/weft 400%']),
            ('one benchmark that is slower',
             made_up(4, slower=('delta/scenario_1/weft', 1.1), groups=COMPARED), 3,
             ['SLOWER  delta/scenario_1/weft takes 1.1', '!SLOWER  alpha']),
            ('a machine that is slower', made_up(5, slower=('', 1.1), groups=COMPARED), 0,
             ['!SLOWER', 'the machine itself 1.1']),
            ('one that is quicker where all others stay',
             made_up(6, slower=('delta/scenario_2/weft', 0.8), groups=COMPARED), 0,
             ['quicker delta/scenario_2/weft takes 0.'])):
        reports.write('new.json', content)
        tap.point(f'{name} is told from the noise', expect(reports.call(
            '--from', reports.path('new.json'), '--baseline', reports.path('old.json')),
            status, words))
    reports.write('new.json', made_up(4, slower=('delta/scenario_1/weft', 1.2),
                                      groups=COMPARED))
    result = reports.call('--from', reports.path('new.json'), '--baseline',
                          reports.path('old.json'), '--html', reports.path('change.html'))
    tap.point('the report has the changes', expect(result, 3) + [
        word for word in ('changes', 'slower', 'beyond the noise')
        if word not in reports.page('change.html')])
    reports.write('new.json', made_up(4, rounds=3))
    tap.point('few rounds are not enough, it says so, and there is a report of them', expect(
        reports.call('--from', reports.path('new.json'), '--baseline', reports.path('old.json'),
                     '--html', reports.path('few.html')), 1, err=['too few', '--repetitions']) + (
        [] if 'beta/alone/weft' in reports.page('few.html') else ['not in the report']))


def check_pairs(tap, reports):
    def call(seed, *more, **options):
        reports.write('pairs.json', made_up_pairs(seed, **options))
        return reports.call('--from', reports.path('pairs.json'), '--markdown', *more)

    found = [seed for seed in range(10) if call(seed).returncode != 0]
    tap.point('pairs: of ten runs of the same build nine show nothing',
              found if len(found) > 1 else [])
    lost = [seed for seed in range(10) if 'SLOWER  beta/alone/weft takes 1.1' not in
            call(seed, slower=('beta/alone', 1.15)).stdout]
    tap.point('pairs: of ten that are slower nine are found', lost if len(lost) > 1 else [])
    tap.point('pairs: the report has the changes', expect(call(
        1, '--html', reports.path('pairs.html'), slower=('alpha_queue/4P4C', 1.3)), 3,
        ['SLOWER  alpha_queue/4P4C/weft', 'compared with other/weft-bench: 24 to 40 pairs']) + [
            word for word in ('24 to 40 pairs', 'slower')
            if word not in reports.page('pairs.html')])
    tap.point('pairs: few are not enough', expect(call(1, pairs=5), 1, err=['too few']))


def check_against(tap, reports):
    """Measured: this program against itself, and against one that seems to take half the time, on a
    machine that seems ten times as slow at the end of each process as at its beginning."""
    other = reports.write('quick.sh', f'''#!/bin/sh
"{reports.weft}" bench "$@" | awk -F "\\t" \'
    $1 == "measured" {{ split($3, all, " "); print $1 "\\t" $2 "\\t" all[1] / 2 " 0 0 0 0"; next }}
    $1 == "loop" {{ print "loop\\t\\t" $3 * (1 + 9 * loops++); next }}
    {{ print }}\'
''')
    os.chmod(other, 0o755)
    result = reports.call('--against', other, '--run-ms', '1', '--repetitions', '30',
                          '^park/uncontended/')
    tap.point('--against a program that is quicker says so', expect(
        result, 3, ['SLOWER  park/uncontended/weft takes']))
    tap.point('and that the machine was noisy', [] if re.search(
        r'a noisy machine: the same loop took up to \d{3,} % longer', result.stdout)
        else [result.stdout])
    other = reports.write('killed.sh', f'''#!/bin/sh
case "$*" in *--round*eventcount* | *eventcount*--round*) kill -KILL $$ ;; esac
exec "{reports.weft}" bench "$@"
''')
    os.chmod(other, 0o755)
    tap.point('one that is killed costs its own benchmark, and the others none', expect(
        reports.call('--against', other, '--run-ms', '1', '--repetitions', '12',
                     '^(eventcount|park)/uncontended/'), 1,
        ['12 to 12 pairs', 'show no change'], ['eventcount/uncontended/weft', 'Killed']))
    for name, program, words in (('no weft-bench', '/bin/false', ['/bin/false is no weft-bench']),
                                 ('not there', '/no/such', ['cannot start /no/such'])):
        result = reports.call('--against', program, '^park/uncontended/')
        tap.point(f'--against a program that is {name} is refused in one line', expect(
            result, 1, err=words) + ([] if result.stderr.count('\n') == 1 else ['not one line']))


def check_history(tap, reports):
    history, page_path = reports.path('history.jsonl'), reports.path('trend.html')
    for seed, options in ((30, {}), (31, {}), (32, {'slower': ('', 3)}), (33, {}), (34, {}),
                          (35, {'slower': ('alpha_queue/2P2C/weft', 2)})):
        reports.write('one.json', made_up(seed, noise=0.005, **options))
        result = reports.call('--from', reports.path('one.json'), '--history', history)
    tap.point('a run is added to a history', expect(result, 0) + (
        [] if len(reports.page('history.jsonl').split('\n')) == 7 else ['not a line for each']))
    result = reports.call('--trend', history, '--html', page_path)
    page = Page(reports.page('trend.html'))
    tap.point('a trend is made of a history', expect(result, 0))
    tap.point('its tags match, it fetches nothing and runs no script', page.wrong + page.fetched + [
        tag for tag in page.tags if tag in ('script', 'iframe', 'object', 'embed', 'link')])
    tap.point('it has every benchmark of weft that has a ratio', [
        f'{structure}/{scenario}' for structure, scenario, _, _ in GROUPS
        if not scenario.startswith('load') and f'{structure}/{scenario}/weft' not in page.text])
    # 20 ns of the mutex variant for 10 of weft, on a machine that is slow for once, too.
    means = re.findall(r'<td class=number>(\d\.\d\d)x</td><td class=number>[\d.]+x</td><td></td>',
                       reports.page('trend.html'))
    tap.point('a slow machine leaves the ratios as they were', [
        mean for mean in means[:5] if not 1.95 < float(mean) < 2.05] + (
        [] if len(means) == 6 else [f'{len(means)} runs']))
    tap.point('it names what is worse in the last run, and nothing else', [
        row for row in re.findall(r'<td>([^<]*)</td><td>[^<]*</td><td class=number>[^<]*</td>'
                                  r'<td class=number>-5\d%</td><td>worse</td>',
                                  reports.page('trend.html')) if row != 'alpha_queue/2P2C/weft'] + (
        [] if '<td>worse</td>' in reports.page('trend.html') else ['not named']))
    reports.write('one.json', made_up(36, cpu='Processor <Y>'))
    reports.call('--from', reports.path('one.json'), '--history', history)
    with open(history, 'a', encoding='utf-8') as file:
        file.write('{"history": 1, "figu')
    result = reports.call('--trend', history, '--html', page_path)
    tap.point('another machine is marked, and a line that was cut off is no harm', expect(
        result, 0) + ([] if 'other machine: Processor &lt;Y&gt;' in reports.page('trend.html')
                      else ['not marked']))
    tap.point('a history that is none is refused', expect(reports.call(
        '--trend', reports.path('run.html'), '--html', page_path), 1, err=['line 1, is not']))
    tap.point('--trend alone is refused', expect(reports.call('--trend', history), 2,
                                                 err=['--html']))


def check_tables(tap, reports):
    run = made_up(1, slower=('beta/2_threads/weft', 4))
    run['benchmarks'] += [{'name': f'beta/memory/{name}', 'run_type': 'iteration',
                           'real_time': number, 'label': f'{ROLES[name]} bytes'}
                          for name, number in (('weft', 4160), ('mutex_<&>', 8320))]
    run['benchmarks'] += [{'name': f'beta/long/{name}', 'run_type': 'iteration',
                           'real_time': number, 'label': f'{ROLES[name]} time'}
                          for name, number in (('weft', 4.16e6), ('mutex_<&>', 8.32e6))]
    reports.write('run.json', run)
    result = reports.call('--from', reports.path('run.json'), '--markdown')
    tap.point('--markdown has every scenario, and where weft is behind', expect(result, 0, [
        'Processor <X>', '### alpha_queue', '### beta', '### latency under load',
        '| `1P1C` | ', '| `2_threads` | ', '| `memory` | 4160 B | 8320 B | 2.00 |',
        '| `beta` | weft | 100 M/s | 10 ns / 10 ns | 9.9',
        '| `beta/2_threads` | ']) + (
        [] if result.stdout.count('| `beta/') == 1 else ['others are behind, too']))
    reports.call('--from', reports.path('run.json'), '--html', reports.path('units.html'))
    tap.point('an axis has a unit that suits it', [title for title in (
        'alone: nanoseconds, less', 'memory: bytes, less', 'long: milliseconds, less')
        if title not in reports.page('units.html')])


def check_bad_input(tap, reports):
    whole = json.dumps(made_up(7), indent=2)
    reports.write('cut.json', whole[:len(whole) * 2 // 3])
    tap.point('of a run that was killed there is a report of what it had measured', expect(
        reports.call('--from', reports.path('cut.json'), '--html', reports.path('cut.html')), 0) + (
        [] if 'did not come to its end' in reports.page('cut.html') else ['not said']))
    reports.write('alone.json', made_up(7, groups=[('alpha', 'alone', 'time', ['mutex_ring'])]))
    result = reports.call('--from', reports.path('alone.json'), '--html', reports.path('a.html'))
    tap.point('so there is where there is nothing to compare', expect(result, 0) + (
        [result.stderr] if result.stderr else []) + (
        [] if 'nothing to compare' in reports.page('a.html') else ['not said']))
    html_path = reports.path('no.html')
    for name, arguments, words in (
            ('a file that is not there', ['--from', reports.path('no'), '--html', html_path],
             ['No such file']),
            ('a file of something else',
             ['--from', reports.write('else.json', '{"benchmarks": 3}'), '--html', html_path],
             ['not JSON that weft bench has written']),
            ('a report that cannot be written',
             ['--from', reports.path('run.json'), '--html', reports.path('no/such.html')],
             ['No such file']),
            ('a baseline that is not there, before it measures',
             ['--baseline', reports.path('no.json')], ['No such file']),
            ('a report that cannot be written, before it measures',
             ['--html', reports.path('no/such.html')], ['No such file'])):
        result = reports.call(*arguments)
        tap.point(f'{name} is refused in one line', expect(result, 1, ['!weft'], words) + (
            [] if result.stderr.count('\n') == 1 else ['not one line']))
    tap.point('--from alone is refused', expect(reports.call('--from', 'x'), 2, err=['--html']))


def check_full(tap, reports):
    """The report cannot be written in the end: what was measured is not lost."""
    name = 'of a report that no disk can take the measurements are kept, and it says where'
    if not os.access('/dev/full', os.W_OK):
        tap.skip(name, 'no /dev/full')
        return
    result = reports.call('--run-ms', '1', '--repetitions', '2', '--html', '/dev/full',
                          '^park/uncontended', env={**os.environ, 'TMPDIR': reports.folder})
    kept = [word for word in re.findall(r'[^ ,]*weft-bench-\w+', result.stderr)]
    tap.point(name, expect(result, 1, ['uncontended', 'until the report is made'], [
        "No space left on device: '/dev/full'", 'the measurements are in ']) + (
        expect(reports.call('--from', *kept, '--html', reports.path('full.html')), 0)
        if len(kept) == 1 else kept or ['no file']))


def check_interrupt(tap, reports, name, number, to):
    """A signal during a long run: it ends soon, and there is a report of what it had."""
    json_path, html_path = (reports.path(f'{name}.{ending}') for ending in ('json', 'html'))
    run = subprocess.Popen(
        [reports.weft, 'bench', '--run-ms', '20', '--repetitions', '500', '--json', json_path,
         '--html', html_path, '^park/unc'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True)
    while run.poll() is None and not (os.path.exists(json_path) and
                                      'park/uncontended/weft' in reports.page(json_path)):
        time.sleep(0.01)
    to(run.pid, number)
    out, err = run.communicate(timeout=60)
    tap.point(f'{name} ends a run and keeps what it had', (
        [] if run.returncode == 128 + number and not err else [f'status {run.returncode}', err]) + [
            word for word in ('park', 'uncontended') if word not in out] + (
        [] if 'park/uncontended/weft' in reports.page(html_path) else ['not in the report']))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        reports = Reports(sys.argv[1], folder)
        check_page(tap, reports)
        check_scaling(tap, reports)
        check_colours(tap, reports)
        check_comparison(tap, reports)
        check_pairs(tap, reports)
        check_against(tap, reports)
        check_history(tap, reports)
        check_tables(tap, reports)
        check_bad_input(tap, reports)
        check_full(tap, reports)
        check_interrupt(tap, reports, 'Ctrl-C', signal.SIGINT, os.killpg)
        check_interrupt(tap, reports, 'SIGTERM', signal.SIGTERM, os.kill)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
