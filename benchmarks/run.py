#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Runs the benchmarks: all contenders, in one run, interleaved.

Each cell (a contender, a topology, a depth, a function) is measured by a process of its own, so that one that crashes
is a result like another. A round measures every cell once, with the contenders next to each other and in an order that
is rotated from round to round; a cell's result is the median of its rounds.
"""

import argparse
import importlib.util
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time

import compile_time
from report import about_the_machine, progress, quartiles, write_json

DEPTHS = [1, 16, 256, 4096, 65536]
SUBJECT = 'awaited'

# Operations measured in a cell, and the least of each caller: about 100 ms, or what the deepest take.
TOTAL = {'trivial': 200_000, '1us': 20_000, '20us': 2_000}
LEAST = {'trivial': 50, '1us': 2, '20us': 1}

# A cell that takes longer is measured in three rounds, or in one.
SECONDS_FOR_THREE_ROUNDS = 1.0
SECONDS_FOR_ONE_ROUND = 5.0
SECONDS_THAT_ARE_TOO_LONG = 180
STACK = 8 << 20


def operations_of_each_caller(contender, topology, depth, function):
    total = TOTAL[function]
    if contender['blocks'] and function == 'trivial':
        total *= 20
    elif depth == 1 and function == 'trivial' and (topology == 'own_thread' or contender['name'] == 'futures'):
        total //= 40  # Each is two thread switches.
    return max(LEAST[function], total // depth)


class Cell:
    def __init__(self, contender, topology, depth, function):
        self.contender = contender
        self.topology = topology
        self.depth = depth
        self.function = function
        self.group = (function, topology, depth)
        self.operations = operations_of_each_caller(contender, topology, depth, function)
        self.results = []
        self.failures = []
        self.seconds = []

    def measure(self, binary, steps, pin):
        command = [binary, '--contender', self.contender['name'], '--topology', self.topology,
                   '--depth', str(self.depth), '--function', self.function, '--operations', str(self.operations),
                   '--steps-per-microsecond', str(steps), *(['--pin'] if pin else [])]
        start = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_THAT_ARE_TOO_LONG,
                                  preexec_fn=limit_stack, check=False)
            if done.returncode == 0:
                self.results.append(json.loads(done.stdout))
            elif done.returncode < 0:
                self.failures.append(f'crashed ({signal.Signals(-done.returncode).name})')
            else:
                self.failures.append('failed: ' + done.stderr.strip().splitlines()[-1])
        except subprocess.TimeoutExpired:
            self.failures.append('timed out')
        self.seconds.append(time.monotonic() - start)

    def median(self, key):
        return statistics.median(value(result, key) for result in self.results)

    def quartiles(self, key):
        return quartiles([value(result, key) for result in self.results])

    @property
    def failure(self):
        """What to say of a cell that failed, in all rounds or in some: then it has no median."""
        if not self.failures:
            return None
        if not self.results:
            return self.failures[0]
        return f'{self.failures[0]} in {len(self.failures)} of {len(self.failures) + len(self.results)} rounds'

    @property
    def has_latencies(self):
        return all(result['latency']['samples'] for result in self.results)

    @property
    def usable(self):
        return bool(self.results) and not self.failures


def value(result, key):
    for part in key.split('.'):
        result = result[part]
    return result


def limit_stack():
    """The stack that a contender may use up is the same everywhere, and it leaves no core dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (STACK, hard))


def best_other(cells, blocking=False):
    """The fastest cell of a group that is neither this library's nor crashed."""
    others = [c for c in cells if c.usable and not c.contender['ours'] and c.contender['blocks'] == blocking]
    return max(others, key=lambda c: c.median('operations_per_second'), default=None)


def is_due(cell, group, round_number, rounds):
    """Whether a cell is measured in this round. What is slow and decides no ratio is measured less often."""
    if round_number == 0:
        return True
    if cell.failures and not cell.results:
        return round_number < 2
    if cell.function != 'trivial' and round_number >= rounds // 5:
        return False
    if cell.contender['name'] == SUBJECT or cell is best_other(group):
        return True
    seconds = statistics.median(cell.seconds)
    if seconds > SECONDS_FOR_ONE_ROUND:
        return False
    return seconds <= SECONDS_FOR_THREE_ROUNDS or round_number < 3


def call(binary, *arguments):
    return json.loads(subprocess.run([binary, *arguments], capture_output=True, text=True, check=True).stdout)


def measure_all(groups, binary, steps, rounds, budget, pin):
    start = time.monotonic()
    total = sum(len(cells) for cells in groups.values())
    for round_number in range(rounds):
        if round_number and time.monotonic() - start > budget * 60:
            print(f'{budget:g} minutes are over: {round_number} of {rounds} rounds')
            break
        if not sys.stderr.isatty():
            print(f'round {round_number + 1} of {rounds}', file=sys.stderr, flush=True)
        done = 0
        for cells in groups.values():
            shift = round_number % len(cells)
            for cell in cells[shift:] + cells[:shift]:
                done += 1
                if is_due(cell, cells, round_number, rounds):
                    minutes, seconds = divmod(int(time.monotonic() - start), 60)
                    progress(f'{minutes}:{seconds:02} round {round_number + 1} of {rounds}, cell {done} of {total}: '
                             f'{cell.contender["name"]}, {cell.topology}, depth {cell.depth}, {cell.function}')
                    cell.measure(binary, steps, pin)
    progress('')


COLUMNS = ['', 'ops/s', 'ns/op', '(quartiles)', 'allocs/op', 'CPU ns/op', 'p50 us', 'p99 us', 'p99.9 us', 'ratio',
           'rounds']


def row(cell, other):
    label = ('* ' if cell.contender['ours'] else '  ') + cell.contender['label']
    if not cell.usable:
        return [label, cell.failure]
    low, high = cell.quartiles('ns_per_operation')
    latencies = [''] * 3 if not cell.has_latencies else [f'{cell.median("latency." + p) / 1000:.3g}' if cell.median('latency.' + p) < 1e6
                 else f'{cell.median("latency." + p) / 1000:.0f}' for p in ('p50_ns', 'p99_ns', 'p999_ns')]
    ratio = '' if other is None else \
        f'{cell.median("operations_per_second") / other.median("operations_per_second"):.2f}'
    return [label, f'{cell.median("operations_per_second"):,.0f}', f'{cell.median("ns_per_operation"):,.0f}',
            f'({low:,.0f} - {high:,.0f})', f'{cell.median("allocations_per_operation"):.2f}',
            f'{cell.median("cpu_ns_per_operation"):,.0f}', *latencies, ratio, str(len(cell.results))]


def print_tables(groups):
    print(f'''
Medians of interleaved rounds. *: this library. ratio: throughput over that of the best contender that is not this
library, did not crash, and does not block its thread. Latencies: of one operation in eight, in a part of the run that
the other figures leave out; from just before the operation is started until its caller goes on.''')
    rows = {group: [row(cell, best_other(cells)) for cell in cells] for group, cells in groups.items()}
    whole = [COLUMNS] + [r for table in rows.values() for r in table if len(r) == len(COLUMNS)]
    labels = [r[0] for table in rows.values() for r in table]
    widths = [max(len(r[i]) for r in whole) for i in range(len(COLUMNS))]
    widths[0] = max(map(len, labels), default=0)

    def print_row(cells):
        print(cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:])), sep='  ')

    for (function, topology, depth), table in rows.items():
        print(f'\n{topology}, depth {depth}, {function}')
        print_row(COLUMNS)
        for each in table:
            if len(each) == len(COLUMNS):
                print_row(each)
            else:
                print(each[0].ljust(widths[0]), each[1], sep='  ')


def as_json(cells):
    other = best_other(cells)
    blocking = best_other(cells, blocking=True)
    for cell in cells:
        entry = {'contender': cell.contender['name'], 'topology': cell.topology, 'depth': cell.depth,
                 'function': cell.function, 'operations_of_each_caller': cell.operations, 'failure': cell.failure,
                 'rounds': cell.results}
        if cell.usable:
            for key in ('operations_per_second', 'ns_per_operation', 'cpu_ns_per_operation',
                        'allocations_per_operation', 'latency.p50_ns', 'latency.p99_ns', 'latency.p999_ns'):
                if key.startswith('latency.') and not cell.has_latencies:
                    continue
                entry[key.rpartition('.')[2]] = {'median': cell.median(key), 'quartiles': cell.quartiles(key)}
            throughput = cell.median('operations_per_second')
            if other:
                entry['best_other'] = other.contender['name']
                entry['ratio'] = throughput / other.median('operations_per_second')
            if blocking:
                entry['ratio_to_blocking'] = throughput / blocking.median('operations_per_second')
        yield entry


def print_extras(result):
    sizes = result['sizes']
    print(f'\nsizeof: the operation that async_invoke returns for an empty function {sizes["operation"]} bytes, '
          f'a handle {sizes["handle"]} bytes')
    if 'compile_time' in result:
        compile_time.print_result(result['compile_time'])


def draw_charts(result, directory, json_file):
    if importlib.util.find_spec('matplotlib') is None:
        print(f'No charts: {sys.executable} has no matplotlib (Debian: python3-matplotlib, for /usr/bin/python3; else '
              f'pip install matplotlib). Later: python3 {os.path.join(os.path.dirname(__file__), "charts.py")} '
              f'{json_file or "JSON"} {directory}')
        return
    import charts
    for path in charts.draw(result, directory):
        print(path)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--binary', required=True, help='the program async_resource_benchmarks')
    parser.add_argument('--rounds', type=int,
                        help='15 unless told; a fifth for functions that spin, fewer for what is slow')
    parser.add_argument('--budget', type=float, default=38, help='minutes after which no round is begun')
    parser.add_argument('--pin', action='store_true',
                        help='keep each thread on a processor of its own (not those of libcaf)')
    parser.add_argument('--quick', action='store_true', help='three rounds, three depths, the trivial function')
    for name in ('contender', 'topology', 'depth', 'function'):
        parser.add_argument('--' + name, action='append', type=int if name == 'depth' else str,
                            help='only this one; may be repeated')
    parser.add_argument('--json', metavar='FILE', help='write all results there')
    parser.add_argument('--charts', metavar='DIR', help='draw SVG charts there')
    parser.add_argument('--compiler', help='also measure what the headers cost to compile, with this compiler')
    parser.add_argument('--include', action='append', default=[], help='for that, a directory of headers')
    return parser.parse_args()


def chosen(all_of_them, filters, what):
    unknown = set(filters or []) - set(all_of_them)
    if unknown:
        sys.exit(f'no such {what}: {", ".join(map(str, sorted(unknown)))} (there are: '
                 f'{", ".join(map(str, all_of_them))})')
    return [each for each in all_of_them if not filters or each in filters]


def main():
    arguments = parse_arguments()
    listed = call(arguments.binary, '--list')
    names = chosen([c['name'] for c in listed['contenders']], arguments.contender, 'contender')
    contenders = [c for c in listed['contenders'] if c['name'] in names]
    topologies = chosen(listed['topologies'], arguments.topology, 'topology')
    quick_functions = ['trivial'] if arguments.quick else None
    functions = chosen(listed['functions'], arguments.function or quick_functions, 'function')
    depths = arguments.depth or ([1, 256, 4096] if arguments.quick else DEPTHS)
    rounds = arguments.rounds or (3 if arguments.quick else 15)

    if not listed['optimised']:
        print('Not optimised: these figures say nothing.', file=sys.stderr)
    for contender in contenders:
        if contender['unavailable']:
            print(f'{contender["label"]}: {contender["unavailable"]}')

    groups = {}
    for function in functions:
        for topology in topologies:
            for depth in depths:
                cells = [Cell(c, topology, depth, function) for c in contenders if not c['unavailable']]
                if cells:
                    groups[function, topology, depth] = cells

    result = {'build': {k: v for k, v in listed.items() if k not in ('topologies', 'functions', 'contenders')},
              'contenders': listed['contenders'], 'machine': {**about_the_machine(), 'stack': STACK},
              'pinned': arguments.pin, 'load_before': os.getloadavg()}
    result.update(call(arguments.binary, '--calibrate'))
    try:
        measure_all(groups, arguments.binary, result['steps_per_microsecond'], rounds, arguments.budget,
                    arguments.pin)
    except KeyboardInterrupt:
        print('Interrupted: what there is so far')
        groups = {group: cells for group, cells in groups.items() if all(c.results or c.failures for c in cells)}
    result['load_after'] = os.getloadavg()
    result['cells'] = [entry for cells in groups.values() for entry in as_json(cells)]
    result['sizes'] = call(arguments.binary, '--sizes')
    if arguments.compiler:
        result['compile_time'] = compile_time.measure(arguments.compiler, arguments.include)

    print_tables(groups)
    print_extras(result)
    if arguments.json:
        write_json(result, arguments.json)
    if arguments.charts:
        draw_charts(result, arguments.charts, arguments.json)


if __name__ == '__main__':
    main()
