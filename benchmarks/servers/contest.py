# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Contenders, measured in one run: rounds, tables, JSON, a chart.

A round measures every contender once in every setting, the contenders next to each other, in an order that rotates. A
figure is the median of its rounds, a ratio that of the ratios in each round.
"""

import importlib.util
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

from measuring import Failure
from report import about_the_machine, progress, quartiles, write_json

RATE = 'requests_per_second'
FIGURES = [RATE, 'cpu_ns_per_request', 'client_busy', 'peak_memory', 'latency.p50_ns', 'latency.p99_ns',
           'latency.p999_ns']


class Contender:
    def __init__(self, name, label, command, ours=False):
        self.name = name
        self.label = label
        self.command = command
        self.ours = ours

    @classmethod
    def of(cls, text):
        """NAME=COMMAND"""
        name, _, command = text.partition('=')
        return cls(name, name, shlex.split(command))

    def as_json(self):
        return {'name': self.name, 'label': self.label, 'command': self.command, 'ours': self.ours}


class Setting:
    """Has a text, a title, and the name of the chart that it is drawn in."""

    def as_json(self):
        return {'text': self.text, 'title': self.title, 'chart': self.chart}


class Shape(Setting):
    """CONNECTIONSxDEPTHxPAYLOAD, for the load generator."""

    FORM = 'CONNECTIONSxDEPTHxPAYLOAD'

    def __init__(self, text):
        match = re.fullmatch(r'(\d+)x(\d+)x(\d+)', text)
        if not match:
            raise ValueError(f"'{text}' is not of the form {self.FORM}")
        self.connections, self.depth, self.payload = map(int, match.groups())
        self.options = ['--connections', match[1], '--depth', match[2], '--payload', match[3]]
        self.title = f'{self.connections:,} connections, {self.depth:,} in flight on each, {self.payload:,} bytes'


class Cell:
    """A contender in a setting."""

    def __init__(self, contender, setting):
        self.contender = contender
        self.setting = setting
        self.rounds = []
        self.failure = None
        self.system_calls = None

    def measure(self, how):
        self.rounds.append(self.attempt(how))

    def attempt(self, how):
        """What how(contender, setting) returns, or None, with the first failure kept."""
        try:
            return how(self.contender, self.setting)
        except Failure as failure:
            self.failure = self.failure or str(failure)
            return None

    def figures(self, key):
        found = [value(each, key) for each in self.rounds if each]
        return [each for each in found if each is not None]

    def median(self, key):
        return statistics.median(self.figures(key))

    def ratios(self, other, key=RATE):
        """In each round."""
        return [mine[key] / theirs[key] for mine, theirs in zip(self.rounds, other.rounds) if mine and theirs]

    def as_json(self, bases):
        result = {'contender': self.contender.name, 'setting': self.setting.text, 'failure': self.failure,
                  'system_calls_per_request': self.system_calls, 'rounds': self.rounds}
        if not self.failure:
            result.update({key.rpartition('.')[2]: summary(self.figures(key)) for key in FIGURES if self.figures(key)})
            result['ratios'] = {base.contender.name: summary(self.ratios(base)) for base in bases}
        return result


def value(result, key):
    for part in key.split('.'):
        result = (result or {}).get(part)
    return result


def summary(values):
    return {'median': statistics.median(values), 'quartiles': quartiles(values)}


def bases_of(cells, names):
    """What the others of a setting are compared with."""
    return [cell for cell in cells if cell.contender.name in names and not cell.failure]


def measure_rounds(table, count, how):
    """table: for each setting its cells. Interrupted, it keeps the settings of which there is something."""
    start = time.monotonic()
    try:
        for number in range(count):
            if not sys.stderr.isatty():
                print(f'round {number + 1} of {count}, {time.monotonic() - start:.0f} s', file=sys.stderr, flush=True)
            for cells in table:
                shift = number % len(cells)
                for cell in cells[shift:] + cells[:shift]:
                    progress(f'{time.monotonic() - start:.0f} s, round {number + 1} of {count}: '
                             f'{cell.contender.name}, {cell.setting.text}')
                    cell.measure(how)
    except KeyboardInterrupt:
        print('Interrupted: what there is so far')
        table = [cells for cells in table if all(cell.rounds for cell in cells)]
    finally:
        progress('')
    return table


COLUMNS = [('CPU µs/request', 'cpu_ns_per_request', lambda ns: f'{ns / 1e3:.2f}'),
           ('p50 µs', 'latency.p50_ns', lambda ns: f'{ns / 1e3:,.0f}'),
           ('p99 µs', 'latency.p99_ns', lambda ns: f'{ns / 1e3:,.0f}'),
           ('p99.9 µs', 'latency.p999_ns', lambda ns: f'{ns / 1e3:,.0f}'),
           ('MiB', 'peak_memory', lambda size: f'{size / (1 << 20):.0f}'),
           ('client', 'client_busy', lambda share: f'{share:.0%}')]


def print_tables(table, bases):
    print('''
Medians of interleaved rounds, as Markdown. CPU: of the server, user and system. MiB: its largest resident set. Client:
the share of its processor that the load generator took. Last: the ratio of the requests per second, in the median round
and the quartiles.''')
    for cells in table:
        print_table(cells, bases_of(cells, bases))


def print_table(cells, bases):
    columns = [column for column in COLUMNS if any(cell.figures(column[1]) for cell in cells)]
    counted = any(cell.system_calls for cell in cells)
    heads = ['requests/s', '(quartiles)', *(head for head, _, _ in columns), *['system calls/request'] * counted,
             *(f'to {base.contender.name}' for base in bases)]
    print(f'\n{cells[0].setting.title}\n\n| | {" | ".join(heads)} |\n|---|{"---|" * len(heads)}')
    for cell in cells:
        row = [cell.failure] if cell.failure else figures_of(cell, columns, counted, bases)
        print(f'| {cell.contender.label} | {" | ".join(row)} |')


def figures_of(cell, columns, counted, bases):
    low, high = quartiles(cell.figures(RATE))
    calls = f'{sum(cell.system_calls.values()):.3f}' if cell.system_calls else ''
    return [f'{cell.median(RATE):,.0f}', f'({low:,.0f}–{high:,.0f})',
            *(text(cell.median(key)) if cell.figures(key) else '' for _, key, text in columns), *[calls] * counted,
            *(ratio(cell.ratios(base)) for base in bases)]


def ratio(values):
    low, high = quartiles(values)
    return f'{statistics.median(values):.2f} ({low:.2f}–{high:.2f})'


def good_cells(table):
    """By the name of the contender and the text of the setting."""
    return {(cell.contender.name, cell.setting.text): cell for cells in table for cell in cells if not cell.failure}


def share_processors(pin):
    """The last one to the load, the others to the server."""
    *most, last = sorted(os.sched_getaffinity(0))
    return {'server': most, 'load': [last]} if pin and most else {'server': None, 'load': None}


def imports(python, module):
    return subprocess.run([python, '-c', f'import {module}'], stderr=subprocess.DEVNULL, check=False).returncode == 0


def python_with(module):
    """This one or Debian's, whichever has the module; else this one."""
    here = [sys.executable, '/usr/bin/python3']
    return next((python for python in here if os.path.exists(python) and imports(python, module)), sys.executable)


def add_options(parser, rounds, seconds):
    parser.add_argument('--rounds', type=int, help=f'{rounds} unless told')
    parser.add_argument('--seconds', type=float, help=f'of each measurement, after a warm-up; {seconds} unless told')
    parser.add_argument('--quick', action='store_true', help='one round of a fifth of a second')
    parser.add_argument('--only', action='append', metavar='NAME', help='only this contender; may be repeated')
    parser.add_argument('--no-pin', dest='pin', action='store_false', help='leave the processors to the scheduler')
    parser.add_argument('--json', metavar='FILE', help='write all results there')
    parser.add_argument('--charts', metavar='DIR', help='draw SVG charts there')
    parser.set_defaults(default_rounds=rounds, default_seconds=seconds)


def settle(arguments):
    arguments.rounds = arguments.rounds or (1 if arguments.quick else arguments.default_rounds)
    arguments.seconds = arguments.seconds or (0.2 if arguments.quick else arguments.default_seconds)


def report(table, contenders, bases, arguments, **more):
    """Writes the JSON and draws the charts that were asked for; ends the program with what failed."""
    result = {'machine': about_the_machine(), 'pinned': arguments.pin, 'seconds': arguments.seconds, **more,
              'contenders': [each.as_json() for each in contenders],
              'settings': [cells[0].setting.as_json() for cells in table],
              'load_after': os.getloadavg(),
              'cells': [cell.as_json(bases_of(cells, bases)) for cells in table for cell in cells]}
    if arguments.json:
        write_json(result, arguments.json)
    if arguments.charts:
        draw_charts(result, arguments.charts)
    failed = {cell.contender.name for cells in table for cell in cells if cell.failure}
    if failed:
        sys.exit(f'run.py: failed: {", ".join(sorted(failed))}; the tables say how')


def draw_charts(result, directory):
    if importlib.util.find_spec('matplotlib') is None:
        print(f'No chart: {sys.executable} has no matplotlib (Debian: python3-matplotlib, for /usr/bin/python3)')
        return
    import bars
    print(*bars.draw(result, directory), sep='\n')
