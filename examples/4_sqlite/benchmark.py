#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Inserts per second into an SQLite database, with synchronous=FULL: all contenders, in one run, interleaved.

    benchmark.py build/release/examples/4_sqlite --directory DIRECTORY-ON-A-DISK

A round measures every contender once, each in a process of its own and on a new database, in an order that rotates.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

import kv

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH, ONE = 'async_resource, a transaction a batch', 'async_resource, a transaction an operation'
NET_BATCH, NET_ONE = 'kv_server, a transaction a batch', 'kv_server, a transaction an operation'


def figure_of(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise kv.Failure(f'{command[0]} failed: {done.stderr.strip()}')
    return done.stdout.strip()


class Benchmark:
    def __init__(self, arguments, directory):
        self.arguments = arguments
        self.directory = directory
        self.load = ['--callers', str(arguments.callers)]

    def program(self, name):
        return os.path.join(self.arguments.programs, name)

    def insert(self, operations, *command):
        """Inserts per second of a program."""
        database = os.path.join(self.directory, 'benchmark.db')
        return float(figure_of([*command, '--database', database, '--operations', str(operations), *self.load]))

    def serve(self, operations, *options):
        """Writes per second over the network, of two pairs each."""
        with tempfile.TemporaryDirectory(dir=self.directory) as directory:
            with kv.Server(self.program('kv_server'), os.path.join(directory, 'kv.db'), *options) as server:
                summary = figure_of([self.program('kv_client'), '--port', str(server.port), '--requests', str(operations),
                                     '--connections', str(self.arguments.callers)]).splitlines()[-1]
        return float(summary.split(' s, ')[1].split()[0])

    def contenders(self):
        benchmark, many, few = self.program('benchmark'), self.arguments.operations, self.arguments.operations // 10
        result = {
            BATCH: lambda: self.insert(many, benchmark, '--contender', 'batch'),
            ONE: lambda: self.insert(few, benchmark, '--contender', 'one'),
            'std::mutex, group commit by hand, 64 threads': lambda: self.insert(many, benchmark, '--contender', 'mutex'),
            NET_BATCH: lambda: self.serve(few),
            NET_ONE: lambda: self.serve(few, '--batch', '1'),
        }
        python = self.arguments.python
        if subprocess.run([python, '-c', 'import aiosqlite'], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            script = os.path.join(HERE, 'benchmark_aiosqlite.py')
            result['aiosqlite, a commit an operation'] = lambda: self.insert(few, python, script)
        else:
            print(f'without aiosqlite: {python} does not have it', flush=True)
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('programs', help='the directory of benchmark, kv_server and kv_client, built with optimisation')
    parser.add_argument('--directory', default='.', help='where to put the databases; on a disk, not in memory')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--callers', type=int, default=64)
    parser.add_argument('--operations', type=int, default=200_000, help='inserts a round; a tenth of it for what is slow')
    parser.add_argument('--python', default=sys.executable, help='one that has aiosqlite')
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        contenders = Benchmark(arguments, directory).contenders()
        results = {name: [] for name in contenders}
        for number in range(arguments.rounds):
            names = list(contenders)
            for name in names[number % len(names):] + names[:number % len(names)]:
                results[name].append(contenders[name]())
                print(f'round {number + 1} of {arguments.rounds}: {name}: {results[name][-1]:,.0f} a second', flush=True)

    print('\n| | median | quartiles |\n|---|---|---|')
    for name, figures in results.items():
        low, middle, high = statistics.quantiles(figures, n=4) if len(figures) > 1 else figures * 3
        print(f'| {name} | {middle:,.0f} | {low:,.0f}–{high:,.0f} |')
    for batch, one in ((BATCH, ONE), (NET_BATCH, NET_ONE)):
        print(f'\n{batch}: {statistics.median(results[batch]) / statistics.median(results[one]):.1f} times {one}')


if __name__ == '__main__':
    kv.run(main)
