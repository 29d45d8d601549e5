# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""What the benchmarks' scripts have in common."""

import json
import os
import platform
import statistics
import sys


def quartiles(values):
    if len(values) == 1:
        return list(values) * 2
    first, _, third = statistics.quantiles(values, n=4, method='inclusive')
    return [first, third]


def about_the_machine():
    model = platform.processor()
    if os.path.exists('/proc/cpuinfo'):
        with open('/proc/cpuinfo', encoding='utf-8') as lines:
            model = next((line.partition(':')[2].strip() for line in lines if line.startswith('model name')), model)
    return {'processor': model, 'processors': os.cpu_count(), 'system': platform.system(),
            'release': platform.release()}


def progress(text):
    """One line that is overwritten, or none where that cannot be."""
    if sys.stderr.isatty():
        sys.stderr.write('\r\033[K' + text)
        sys.stderr.flush()


def write_json(result, path):
    with open(path, 'w', encoding='utf-8') as out:
        json.dump(result, out, indent=1)
        out.write('\n')


def draw_for_command_line(usage, draw):
    """JSON DIRECTORY"""
    if len(sys.argv) != 3:
        sys.exit(usage)
    with open(sys.argv[1], encoding='utf-8') as source:
        print(*draw(json.load(source), sys.argv[2]), sep='\n')
