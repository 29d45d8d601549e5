#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Counts the instructions of one awaited operation, and fails if they are more than a tenth over the recorded figure.

The program is run twice under callgrind, the second time with twice the operations, so that what it does once cancels
out. A figure is comparable only with the compiler, flags and Asio it was recorded with; with others, and without
valgrind, there is nothing to say, and the exit status is 77.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys

COROUTINES = 256
TIMES = 40
ALLOWANCE = 0.1
SKIPPED = 77


def skip(why):
    print('skipped: ' + why)
    sys.exit(SKIPPED)


def instructions(valgrind, command, times):
    done = subprocess.run([valgrind, '--tool=callgrind', '--callgrind-out-file=/dev/null', *command, str(times)],
                          capture_output=True, text=True, check=False)
    collected = re.search(r'Collected\s*:\s*(\d+)', done.stderr)
    if done.returncode != 0 or not collected:
        sys.exit(f'{" ".join(command)} {times} failed under valgrind:\n{done.stderr}')
    return int(collected[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('program', help='async_resource_instructions')
    parser.add_argument('--baseline', default=os.path.join(os.path.dirname(__file__), 'baseline.json'))
    parser.add_argument('--record', action='store_true', help='write the baseline instead of comparing with it')
    arguments = parser.parse_args()

    valgrind = shutil.which('valgrind')
    if not valgrind:
        skip('valgrind is not installed')
    build = json.loads(subprocess.run([arguments.program], capture_output=True, text=True, check=True).stdout)
    if not arguments.record:
        with open(arguments.baseline, encoding='utf-8') as source:
            baseline = json.load(source)
        if build != baseline['build']:
            skip(f'recorded with {baseline["build"]}, this is {build}')

    once, twice = (instructions(valgrind, [arguments.program], times) for times in (TIMES, 2 * TIMES))
    each = (twice - once) / (COROUTINES * TIMES)
    if arguments.record:
        with open(arguments.baseline, 'w', encoding='utf-8') as out:
            json.dump({'instructions_per_operation': round(each, 1), 'build': build}, out, indent=2)
            out.write('\n')
        print(f'recorded: {each:.1f} instructions per operation')
        return
    limit = baseline['instructions_per_operation'] * (1 + ALLOWANCE)
    print(f'{each:.1f} instructions per operation; recorded: {baseline["instructions_per_operation"]}, '
          f'limit: {limit:.1f}')
    if each > limit:
        sys.exit('more than a tenth over: mend it, or record a new figure with --record and say why')


if __name__ == '__main__':
    main()
