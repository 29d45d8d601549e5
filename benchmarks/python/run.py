#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Measures servers of a Python callable: all contenders, in one run, interleaved, with the same callables.

A round measures every server once in every setting, the servers next to each other, in an order that rotates. Each time
the server is started anew, and the load generator has a processor to itself. A figure is the median of its rounds, a
ratio that of the ratios in each round. A server that cannot serve a callable, or lacks what it is asked for, is left
out there, and a line says why.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), 'servers')]

import contest  # noqa: E402
import settings  # noqa: E402
from contenders import all_contenders  # noqa: E402
from measuring import Failure, Server, measure  # noqa: E402
from report import progress  # noqa: E402

BASES = ['uvloop', 'figure_4']
SETTINGS = ['echo:1x1x16', 'echo:64x1x16', 'echo:16x16x16', 'echo:64x16x1024', 'echo:16x1x61440', 'busy:16x16x16',
            'waiting:512x1x16', 'dns']
QUICK = ['echo:16x16x16', 'busy:16x1x16', 'waiting:64x1x16', 'dns']

# In a setting, a figure of the quickest of ours, as a multiple of another's.
CPU = 'cpu_ns_per_request'
AIMS = [('echo:64x1x16', contest.RATE, 'uvloop', 'at least 1.1'), ('echo:64x1x16', CPU, 'uvloop', 'less than 1'),
        ('echo:16x16x16', contest.RATE, 'uvloop', 'at least 1.3'),
        *(('echo:16x16x16', contest.RATE, figure, 'at least 5') for figure in ('figure_2', 'figure_3', 'figure_4')),
        ('dns', contest.RATE, 'uvloop', 'at least 1'), ('dns', CPU, 'uvloop', 'at most 0.9')]
BUSY_LOOPS = 'ASYNC_RESOURCE_BUSY_LOOPS'
NAMES = {contest.RATE: 'requests per second', CPU: 'processor time of a request'}


def command(contender, app, app_dir):
    return [*contender.command, '--app-dir', app_dir, '--app', app, '--port', '0']


def ask(contender, app, app_dir):
    """The reply to one request."""
    with Server(command(contender, app, app_dir)) as server:
        try:
            with socket.create_connection(server.address, timeout=30) as connection:
                connection.sendall(b'\0\5hello')
                replies = connection.makefile('rb')
                reply = replies.read(int.from_bytes(replies.read(2), 'big'))
        except OSError as error:
            raise Failure(f'does not answer: {error}') from None
        if not reply:
            raise Failure(server.complaint() or 'closes the connection')
        return reply


def find_contenders(arguments):
    """Those that serve, and the Python of each."""
    pythons = {}
    for contender in [*all_contenders(arguments.programs, arguments.python), *arguments.server]:
        if arguments.only and contender.name not in arguments.only:
            continue
        progress(f'trying {contender.name}')
        try:
            pythons[contender] = ask(contender, 'apps:version', HERE).decode()
        except Failure as failure:
            leave_out(contender, failure)
    progress('')
    return pythons


def leave_out(contender, reason):
    progress('')
    print(f'without {contender.name}: {reason}', flush=True)


def make_table(contenders, chosen):
    """A row of cells for each setting."""
    refused = set()
    for contender in contenders:
        for app, app_dir in dict.fromkeys((each.app, each.app_dir) for each in chosen):
            progress(f'trying {contender.name} with {app}')
            try:
                ask(contender, app, app_dir)
            except Failure as failure:
                leave_out(contender, f'{app}: {failure}')
                refused.add((contender, app))
    progress('')
    table = [[contest.Cell(contender, setting) for contender in contenders if (contender, setting.app) not in refused]
             for setting in chosen]
    return [cells for cells in table if cells]


def measure_all(table, arguments):
    processors = contest.share_processors(arguments.pin)

    def how(contender, setting):
        client = setting.client(arguments, processors['load'])
        return measure(command(contender, setting.app, setting.app_dir), client, processors['server'])

    return contest.measure_rounds(table, arguments.rounds, how)


def microseconds_of_busy(python):
    code = 'import apps, timeit; print(min(timeit.repeat(lambda: apps.busy(b""), number=100, repeat=5)) * 1e4)'
    done = subprocess.run([python, '-c', code], cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def calibrate_busy(python):
    """Makes apps.busy take 100 microseconds, here and in what is started from here; how many it does take."""
    loops = 5_000
    for _ in range(10):  # a processor that had nothing to do is slower at first
        os.environ[BUSY_LOOPS] = str(loops)
        microseconds = microseconds_of_busy(python)
        if 95 < microseconds < 105:
            break
        loops = round(loops * 100 / microseconds)
    return microseconds


def print_aims(table):
    cells = contest.good_cells(table)
    print()
    for setting, key, name, aim in AIMS:
        ours = [cell for (_, text), cell in cells.items() if text == setting and cell.contender.ours]
        base = cells.get((name, setting))
        if ours and base:
            best = max(ours, key=lambda cell: cell.median(contest.RATE))
            print(f'{setting}: {best.contender.name} has {contest.ratio(best.ratios(base, key))} times the '
                  f'{NAMES[key]} of {name}; aimed at: {aim}')


def choose_settings(arguments):
    if not arguments.setting:
        texts = settings.whole_matrix() if arguments.all else QUICK if arguments.quick else SETTINGS
        arguments.setting = [settings.setting(text) for text in texts]
    if not shutil.which('dnsperf') and any(each.text == 'dns' for each in arguments.setting):
        print('without the setting dns: there is no dnsperf (Debian: dnsperf)')
        arguments.setting = [each for each in arguments.setting if each.text != 'dns']


def setting(text):
    try:
        return settings.setting(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--programs', required=True, metavar='DIR',
                        help='the folder of the build tree with python/ and servers/ in it')
    parser.add_argument('--setting', type=setting, action='append', metavar=settings.Echoing.FORM,
                        help='one of ' + ', '.join(f'{name} ({app})' for name, app in settings.APPS.items()) +
                        '; requests in flight on each connection; bytes of each; or dns, which is dnsperf on the '
                        f'example dns.py; may be repeated ({", ".join(SETTINGS)})')
    parser.add_argument('--all', action='store_true', help=f'all {len(settings.whole_matrix())} settings')
    parser.add_argument('--server', type=contest.Contender.of, action='append', default=[], metavar='NAME=COMMAND',
                        help='one more: a command that takes --app, --app-dir and --port; may be repeated')
    parser.add_argument('--python', default=contest.python_with('uvloop'),
                        help="runs Python's servers; best the one that was built with (%(default)s)")
    contest.add_options(parser, rounds=5, seconds=1)
    arguments = parser.parse_args()
    contest.settle(arguments)
    choose_settings(arguments)
    if not os.path.exists(os.path.join(arguments.programs, 'servers', 'load')):
        parser.error(f'{arguments.programs} has no servers/load; cmake --build --preset benchmarks makes it')
    return arguments


def main():
    arguments = parse_arguments()
    load_before = os.getloadavg()
    pythons = find_contenders(arguments)
    table = make_table(pythons, arguments.setting)
    if not table:
        sys.exit('run.py: none of these contenders serves any of these settings')
    busy = calibrate_busy(arguments.python)
    versions = sorted(set(pythons.values()))
    print(f'Python {" and ".join(versions)}{" (not the same in all)" * (len(versions) > 1)}; '
          f'the callable of 100 µs takes {busy:.0f}', flush=True)
    table = measure_all(table, arguments)
    contest.print_tables(table, BASES)
    print_aims(table)
    contest.report(table, pythons, BASES, arguments, load_before=load_before, busy_microseconds=busy,
                   pythons={contender.name: version for contender, version in pythons.items()})


if __name__ == '__main__':
    main()
