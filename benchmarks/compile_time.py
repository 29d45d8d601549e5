#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""What including the library's headers costs to compile, over the Asio headers that they include.

compile_time.py COMPILER INCLUDE_DIRECTORY...
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

SOURCES = {'asio': '#include <async_resource/detail/asio.hpp>\n', 'async_resource': '#include <async_resource.hpp>\n'}
FLAGS = ['-std=c++20', '-O2', '-pthread', '-DNDEBUG']


def measure(compiler, includes, runs=7):
    """Medians of interleaved compilations of a file with nothing but the #include."""
    result = {name: {'seconds': []} for name in SOURCES}
    with tempfile.TemporaryDirectory() as directory:
        command = [compiler, *FLAGS, *(f'-I{i}' for i in includes)]
        for name, text in SOURCES.items():
            with open(os.path.join(directory, name + '.cpp'), 'w', encoding='utf-8') as source:
                source.write(text)
        for _ in range(runs):
            for name in SOURCES:
                path = os.path.join(directory, name)
                start = time.monotonic()
                subprocess.run([*command, '-c', path + '.cpp', '-o', path + '.o'], check=True)
                result[name]['seconds'].append(time.monotonic() - start)
        for name in SOURCES:
            text = subprocess.run([*command, '-E', '-P', os.path.join(directory, name + '.cpp')], check=True,
                                  capture_output=True, text=True).stdout
            result[name]['lines'] = sum(1 for line in text.splitlines() if line.strip())
            result[name]['median_seconds'] = statistics.median(result[name]['seconds'])
    return result


def print_result(result):
    asio, ours = result['asio'], result['async_resource']
    print(f'To compile: Asio alone {asio["median_seconds"]:.2f} s, {asio["lines"]:,} preprocessed lines; '
          f'<async_resource.hpp> {ours["median_seconds"]:.2f} s, {ours["lines"]:,} lines: '
          f'{ours["median_seconds"] - asio["median_seconds"]:+.2f} s, {ours["lines"] - asio["lines"]:+,} lines')


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print_result(measure(sys.argv[1], sys.argv[2:]))
