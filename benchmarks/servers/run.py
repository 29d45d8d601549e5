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
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))

import contest  # noqa: E402
from contest import Cell, Contender, Shape  # noqa: E402
from measuring import count_system_calls, measure, put_load  # noqa: E402
from report import progress  # noqa: E402

# What others are compared with, and what is aimed at: in a setting, a figure of a server, as a multiple of another's.
BASES = ['figure_1_echo', 'epoll_echo']
SUBJECT = 'echo_server'
SETTINGS = ['64x1x64', '64x16x64']
AIMS = [('64x16x64', 'figure_1_echo', 4), ('64x1x64', 'epoll_echo', 0.9)]
MOST_SYSTEM_CALLS = ('64x16x64', 0.25)


class Setting(Shape):
    chart = 'servers'

    def __init__(self, text):
        try:
            super().__init__(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        self.text = text


def find_contenders(arguments):
    """Those of this repository whose programs are there, Python's, and what the command line adds."""
    result = [Contender(name, label, [os.path.join(arguments.programs, name), '--port', '0'], name == SUBJECT)
              for name, label in (('figure_1_echo', 'Figure 1'), ('echo_server', 'echo_server, on frame_reader'),
                                  ('epoll_echo', 'epoll, bare'))
              if os.path.exists(os.path.join(arguments.programs, name))]
    script = [arguments.python, os.path.join(HERE, 'asyncio_echo.py')]
    result.append(Contender('asyncio', 'Python, asyncio Protocol', script))
    if contest.imports(arguments.python, 'uvloop'):
        result.append(Contender('uvloop', 'Python, Protocol on uvloop', [*script, '--uvloop']))
    else:
        print(f'without uvloop, which {arguments.python} does not have (Debian: python3-uvloop, for /usr/bin/python3)')
    result += arguments.server
    return [each for each in result if not arguments.only or each.name in arguments.only]


def measure_all(table, load, arguments):
    processors = contest.share_processors(arguments.pin)

    def how(contender, setting):
        def client(server):
            return put_load(load, server, [*setting.options, '--seconds', str(arguments.seconds)], processors['load'])
        return measure(contender.command, client, processors['server'])

    table = contest.measure_rounds(table, arguments.rounds, how)
    if arguments.strace and not shutil.which('strace'):
        print('System calls are not counted: there is no strace')
    elif arguments.strace:
        count_all_system_calls(table, load, 2_000 if arguments.quick else 20_000)
    return table


def count_all_system_calls(table, load, requests):
    def how(contender, setting):
        return count_system_calls(load, contender.command, setting.options, requests)

    for cell in (cell for cells in table for cell in cells):
        progress(f'system calls: {cell.contender.name}, {cell.setting.text}')
        cell.system_calls = cell.attempt(how)
    progress('')


def print_aims(table):
    cells = contest.good_cells(table)
    print()
    for setting, name, least in AIMS:
        subject, base = cells.get((SUBJECT, setting)), cells.get((name, setting))
        if subject and base:
            print(f'{setting}: {SUBJECT} has {contest.ratio(subject.ratios(base))} times the requests per second of '
                  f'{name}; aimed at: {least}')
    setting, most = MOST_SYSTEM_CALLS
    subject = cells.get((SUBJECT, setting))
    if subject and subject.system_calls is not None:
        calls = ', '.join(f'{name} {count:.4f}' for name, count in sorted(subject.system_calls.items()) if count > 5e-5)
        print(f'{setting}: {SUBJECT} makes {sum(subject.system_calls.values()):.3f} system calls a request ({calls}); '
              f'aimed at: less than {most}')


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--programs', required=True, metavar='DIR', help='where load and the servers were built')
    parser.add_argument('--setting', type=Setting, action='append', metavar=Shape.FORM,
                        help=f'requests in flight on each, bytes of each; may be repeated ({", ".join(SETTINGS)})')
    parser.add_argument('--server', type=Contender.of, action='append', default=[], metavar='NAME=COMMAND',
                        help='one more: a command that prints "listening on HOST:PORT" and echoes; may be repeated')
    parser.add_argument('--python', default=contest.python_with('uvloop'), help="runs Python's servers (%(default)s)")
    parser.add_argument('--no-strace', dest='strace', action='store_false', help='count no system calls')
    contest.add_options(parser, rounds=11, seconds=1)
    arguments = parser.parse_args()
    contest.settle(arguments)
    arguments.setting = arguments.setting or [Setting(text) for text in SETTINGS]
    if not os.path.exists(os.path.join(arguments.programs, 'load')):
        parser.error(f'{arguments.programs} has no load generator; cmake --build --preset benchmarks makes it')
    return arguments


def main():
    arguments = parse_arguments()
    contenders = find_contenders(arguments)
    if not contenders:
        sys.exit('run.py: none of these contenders is there')
    load_before = os.getloadavg()
    table = [[Cell(contender, setting) for contender in contenders] for setting in arguments.setting]
    table = measure_all(table, os.path.join(arguments.programs, 'load'), arguments)
    contest.print_tables(table, BASES)
    print_aims(table)
    contest.report(table, contenders, BASES, arguments, load_before=load_before)


if __name__ == '__main__':
    main()
