#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Measures echo servers: all contenders, in one run, interleaved.

A round measures every server once in every setting, the servers next to each other, in an order that rotates. Each time
the server is started anew, and the load generator has a processor to itself. A figure is the median of its rounds, a
ratio that of the ratios in each round. System calls are counted by strace in runs of their own.
"""

import argparse
import importlib.util
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))

from measuring import Failure, count_system_calls, measure  # noqa: E402
from report import about_the_machine, progress, quartiles, write_json  # noqa: E402

# What others are compared with, and what is aimed at: in a setting, a figure of a server, as a multiple of another's.
BASES = ['figure_1_echo', 'epoll_echo']
SUBJECT = 'echo_server'
SETTINGS = ['64x1x64', '64x16x64']
AIMS = [('64x16x64', 'figure_1_echo', 4), ('64x1x64', 'epoll_echo', 0.9)]
MOST_SYSTEM_CALLS = ('64x16x64', 0.25)

FIGURES = ['requests_per_second', 'cpu_ns_per_request', 'client_busy', 'peak_memory', 'latency.p50_ns',
           'latency.p99_ns', 'latency.p999_ns']


class Setting:
    """CONNECTIONSxDEPTHxPAYLOAD"""

    def __init__(self, text):
        match = re.fullmatch(r'(\d+)x(\d+)x(\d+)', text)
        if not match:
            raise argparse.ArgumentTypeError(f"'{text}' is not of the form CONNECTIONSxDEPTHxPAYLOAD")
        self.text = text
        self.connections, self.depth, self.payload = map(int, match.groups())
        self.options = ['--connections', match[1], '--depth', match[2], '--payload', match[3]]

    @property
    def title(self):
        return f'{self.connections:,} connections, {self.depth:,} in flight on each, {self.payload:,} bytes'


class Contender:
    def __init__(self, name, label, command):
        self.name = name
        self.label = label
        self.command = command


class Cell:
    """A contender in a setting."""

    def __init__(self, contender, setting):
        self.contender = contender
        self.setting = setting
        self.rounds = []
        self.failure = None
        self.system_calls = None

    def measure(self, load, seconds, processors):
        try:
            options = [*self.setting.options, '--seconds', str(seconds)]
            self.rounds.append(measure(load, self.contender.command, options, processors))
        except Failure as failure:
            self.failure = self.failure or str(failure)
            self.rounds.append(None)

    def count_system_calls(self, load, requests):
        try:
            self.system_calls = count_system_calls(load, self.contender.command, self.setting.options, requests)
        except Failure as failure:
            self.failure = self.failure or str(failure)

    def figures(self, key):
        return [value(each, key) for each in self.rounds if each]

    def median(self, key):
        return statistics.median(self.figures(key))

    def ratios(self, other):
        """Of the requests per second, in each round."""
        key = 'requests_per_second'
        return [mine[key] / theirs[key] for mine, theirs in zip(self.rounds, other.rounds) if mine and theirs]

    def as_json(self, others):
        result = {'contender': self.contender.name, 'setting': self.setting.text, 'failure': self.failure,
                  'system_calls_per_request': self.system_calls, 'rounds': self.rounds}
        if not self.failure:
            result.update({key.rpartition('.')[2]: summary(self.figures(key)) for key in FIGURES})
            result['ratios'] = {other.contender.name: summary(self.ratios(other)) for other in others
                                if other.contender.name in BASES and not other.failure}
        return result


def value(result, key):
    for part in key.split('.'):
        result = result[part]
    return result


def summary(values):
    return {'median': statistics.median(values), 'quartiles': quartiles(values)}


def find_contenders(arguments):
    """Those of this repository whose programs are there, Python's, and what the command line adds."""
    result = [Contender(name, label, [os.path.join(arguments.programs, name), '--port', '0'])
              for name, label in (('figure_1_echo', 'Figure 1'), ('echo_server', 'echo_server, on frame_reader'),
                                  ('epoll_echo', 'epoll, bare'))
              if os.path.exists(os.path.join(arguments.programs, name))]
    script = [arguments.python, os.path.join(HERE, 'asyncio_echo.py')]
    result.append(Contender('asyncio', 'Python, asyncio Protocol', script))
    if imports(arguments.python, 'uvloop'):
        result.append(Contender('uvloop', 'Python, Protocol on uvloop', [*script, '--uvloop']))
    else:
        print(f'without uvloop, which {arguments.python} does not have (Debian: python3-uvloop, for /usr/bin/python3)')
    for text in arguments.server:
        name, _, command = text.partition('=')
        result.append(Contender(name, name, shlex.split(command)))
    return [each for each in result if not arguments.only or each.name in arguments.only]


def imports(python, module):
    return subprocess.run([python, '-c', f'import {module}'], stderr=subprocess.DEVNULL, check=False).returncode == 0


def share_processors(pin):
    """The last one to the load, the others to the server."""
    *most, last = sorted(os.sched_getaffinity(0))
    return {'server': most, 'load': [last]} if pin and most else {'server': None, 'load': None}


def measure_all(table, arguments):
    load = os.path.join(arguments.programs, 'load')
    processors = share_processors(arguments.pin)
    start = time.monotonic()
    for number in range(arguments.rounds):
        if not sys.stderr.isatty():
            print(f'round {number + 1} of {arguments.rounds}', file=sys.stderr, flush=True)
        for cells in table:
            shift = number % len(cells)
            for cell in cells[shift:] + cells[:shift]:
                progress(f'{time.monotonic() - start:.0f} s, round {number + 1} of {arguments.rounds}: '
                         f'{cell.contender.name}, {cell.setting.text}')
                cell.measure(load, arguments.seconds, processors)
    progress('')
    if not arguments.strace:
        return
    if not shutil.which('strace'):
        print('System calls are not counted: there is no strace')
        return
    for cell in (cell for cells in table for cell in cells):
        progress(f'{time.monotonic() - start:.0f} s, system calls: {cell.contender.name}, {cell.setting.text}')
        cell.count_system_calls(load, 2_000 if arguments.quick else 20_000)
    progress('')


def print_tables(table):
    print('''
Medians of interleaved rounds, as Markdown. CPU: of the server, user and system. Client: the share of its processor that
the load generator took. Last: the ratio of the requests per second, in the median round and the quartiles.''')
    for cells in table:
        bases = [cell for cell in cells if cell.contender.name in BASES and not cell.failure]
        heads = ['requests/s', '(quartiles)', 'CPU µs/request', 'system calls/request', 'p50 µs', 'p99 µs',
                 'p99.9 µs', 'MiB', 'client', *(f'to {base.contender.name}' for base in bases)]
        print(f'\n{cells[0].setting.title}\n\n| | {" | ".join(heads)} |\n|---|{"---|" * len(heads)}')
        for cell in cells:
            row = [cell.failure] if cell.failure else figures_of(cell, bases)
            print(f'| {cell.contender.label} | {" | ".join(row)} |')


def figures_of(cell, bases):
    low, high = quartiles(cell.figures('requests_per_second'))
    calls = '' if cell.system_calls is None else f'{sum(cell.system_calls.values()):.3f}'
    return [f'{cell.median("requests_per_second"):,.0f}', f'({low:,.0f}–{high:,.0f})',
            f'{cell.median("cpu_ns_per_request") / 1e3:.2f}', calls,
            *(f'{cell.median(key) / 1e3:,.0f}' for key in FIGURES[-3:]),
            f'{cell.median("peak_memory") / (1 << 20):.0f}', f'{cell.median("client_busy"):.0%}',
            *(ratio(cell.ratios(base)) for base in bases)]


def ratio(values):
    low, high = quartiles(values)
    return f'{statistics.median(values):.2f} ({low:.2f}–{high:.2f})'


def print_aims(table):
    cells = {(cell.contender.name, cell.setting.text): cell for row in table for cell in row if not cell.failure}
    print()
    for setting, name, least in AIMS:
        subject, base = cells.get((SUBJECT, setting)), cells.get((name, setting))
        if subject and base:
            print(f'{setting}: {SUBJECT} has {ratio(subject.ratios(base))} times the requests per second of {name}; '
                  f'aimed at: {least}')
    setting, most = MOST_SYSTEM_CALLS
    subject = cells.get((SUBJECT, setting))
    if subject and subject.system_calls is not None:
        calls = ', '.join(f'{name} {count:.4f}' for name, count in sorted(subject.system_calls.items()) if count > 5e-5)
        print(f'{setting}: {SUBJECT} makes {sum(subject.system_calls.values()):.3f} system calls a request ({calls}); '
              f'aimed at: less than {most}')


def draw_chart(result, directory):
    if importlib.util.find_spec('matplotlib') is None:
        print(f'No chart: {sys.executable} has no matplotlib (Debian: python3-matplotlib, for /usr/bin/python3)')
        return
    import bars
    print(bars.draw(result, directory))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--programs', required=True, metavar='DIR', help='where load and the servers were built')
    parser.add_argument('--rounds', type=int, help='11 unless told')
    parser.add_argument('--seconds', type=float, help='of each measurement, after a warm-up; 1 unless told')
    parser.add_argument('--quick', action='store_true', help='one round of a fifth of a second')
    parser.add_argument('--setting', type=Setting, action='append', metavar='CONNECTIONSxDEPTHxPAYLOAD',
                        help=f'requests in flight on each, bytes of each; may be repeated ({", ".join(SETTINGS)})')
    parser.add_argument('--only', action='append', metavar='NAME', help='only this contender; may be repeated')
    parser.add_argument('--server', action='append', default=[], metavar='NAME=COMMAND',
                        help='one more: a command that prints "listening on HOST:PORT" and echoes; may be repeated')
    parser.add_argument('--python', default=default_python(), help="runs Python's servers (%(default)s)")
    parser.add_argument('--no-pin', dest='pin', action='store_false', help='leave the processors to the scheduler')
    parser.add_argument('--no-strace', dest='strace', action='store_false', help='count no system calls')
    parser.add_argument('--json', metavar='FILE', help='write all results there')
    parser.add_argument('--charts', metavar='DIR', help='draw an SVG chart there')
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 11)
    arguments.seconds = arguments.seconds or (0.2 if arguments.quick else 1)
    arguments.setting = arguments.setting or [Setting(text) for text in SETTINGS]
    if not os.path.exists(os.path.join(arguments.programs, 'load')):
        parser.error(f'{arguments.programs} has no load generator; cmake --build --preset benchmarks makes it')
    return arguments


def default_python():
    """One that has uvloop, if any."""
    here = [sys.executable, '/usr/bin/python3']
    return next((python for python in here if os.path.exists(python) and imports(python, 'uvloop')), sys.executable)


def main():
    arguments = parse_arguments()
    contenders = find_contenders(arguments)
    if not contenders:
        sys.exit('run.py: none of these contenders is there')
    table = [[Cell(contender, setting) for contender in contenders] for setting in arguments.setting]
    load_before = os.getloadavg()
    try:
        measure_all(table, arguments)
    except KeyboardInterrupt:
        print('Interrupted: what there is so far')
        table = [cells for cells in table if all(cell.rounds for cell in cells)]
    result = {'machine': about_the_machine(), 'pinned': arguments.pin, 'seconds': arguments.seconds,
              'contenders': [{'name': each.name, 'label': each.label, 'command': each.command} for each in contenders],
              'settings': [{'text': each.text, 'title': each.title} for each in arguments.setting],
              'load_before': load_before, 'load_after': os.getloadavg(),
              'cells': [cell.as_json(cells) for cells in table for cell in cells]}
    print_tables(table)
    print_aims(table)
    if arguments.json:
        write_json(result, arguments.json)
    if arguments.charts:
        draw_chart(result, arguments.charts)
    failed = {cell.contender.name for cells in table for cell in cells if cell.failure}
    if failed:
        sys.exit(f'run.py: failed: {", ".join(sorted(failed))}; the tables say how')


if __name__ == '__main__':
    main()
