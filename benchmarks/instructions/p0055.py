#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Counts the instructions of one awaited call of a C API, for each way of awaiting it: the table of docs/p0055.md."""

import argparse
import shutil
import subprocess
import sys

from count import instructions

TIMES = 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('program', help='async_resource_p0055')
    program = parser.parse_args().program

    valgrind = shutil.which('valgrind')
    if not valgrind:
        sys.exit('valgrind is not installed')
    ways = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    for way in ways:
        once, twice = (instructions(valgrind, [program, way], times) for times in (TIMES, 2 * TIMES))
        print(f'{way:28}{(twice - once) / TIMES:8.1f}')


if __name__ == '__main__':
    main()
