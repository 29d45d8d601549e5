#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Draws throughput against depth from what run.py --json wrote: a chart for each topology and function.

charts.py JSON DIRECTORY
"""

import itertools
import math
import os

import matplotlib

from report import draw_for_command_line

matplotlib.use('svg')
from matplotlib import pyplot  # noqa: E402

# Grey on a transparent ground, and lines of middling lightness: readable on white and on black.
GREY = '#808080'
OURS = {'awaited': '#e8590c', 'callbacks': '#f08c00', 'futures': '#b08900', 'blocking': '#c92a2a'}
OTHERS = ['#1c7ed6', '#0c8599', '#7048e8', '#2f9e44', '#868e96', '#ae3ec9', '#d6336c']

WHERE = {'own_thread': 'the resource on a thread of its own',
         'one_context_1': 'everything on one io_context, one thread',
         'one_context_2': 'everything on one io_context, two threads'}
FUNCTION = {'trivial': 'a trivial function', '1us': 'a function of 1 µs', '20us': 'a function of 20 µs'}

STYLE = {'svg.fonttype': 'none', 'svg.hashsalt': 'async_resource', 'font.family': 'sans-serif', 'font.size': 10,
         'text.color': GREY, 'axes.labelcolor': GREY, 'axes.edgecolor': GREY, 'xtick.color': GREY,
         'ytick.color': GREY, 'axes.spines.top': False, 'axes.spines.right': False}


def colours(contenders):
    others = itertools.cycle(OTHERS)
    return {c['name']: OURS.get(c['name']) or next(others) for c in contenders}


def spread_labels(ends, least):
    """Moves labels (logarithms of their heights) apart, in order, by at least as much, and centres the whole."""
    ends = sorted(ends, key=lambda end: end[0])
    heights = [end[0] for end in ends]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + least)
    excess = sum(h - end[0] for h, end in zip(heights, ends)) / max(len(ends), 1)
    return [(height - excess, *end) for height, end in zip(heights, ends)]


def draw_one(cells, contenders, title, path):
    figure, axes = pyplot.subplots(figsize=(9, 5.2))
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.set_xscale('log', base=2)
    axes.set_yscale('log')
    depths = sorted({cell['depth'] for cell in cells})
    axes.set_xticks(depths, [f'{depth:,}' for depth in depths])
    axes.minorticks_off()
    axes.grid(True, color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_xlabel('operations outstanding')
    axes.set_ylabel('operations per second')
    axes.set_title(title, loc='left', fontsize=11)

    colour = colours(contenders)
    ends, failures, lowest = [], [], []
    for contender in contenders:
        own = sorted((c for c in cells if c['contender'] == contender['name']), key=lambda c: c['depth'])
        good = [c for c in own if not c['failure']]
        if good:
            x = [c['depth'] for c in good]
            y = [c['operations_per_second']['median'] for c in good]
            low, high = zip(*(c['operations_per_second']['quartiles'] for c in good))
            axes.fill_between(x, low, high, color=colour[contender['name']], alpha=0.15, linewidth=0)
            axes.plot(x, y, color=colour[contender['name']], marker='o', markersize=4,
                      linewidth=2.4 if contender['ours'] else 1.3)
            ends.append((math.log10(y[-1]), x[-1], y[-1], contender))
            lowest.append(min(y))
        for failure in dict.fromkeys(c['failure'] for c in own if c['failure']):
            where = ', '.join(f'{c["depth"]:,}' for c in own if c['failure'] == failure)
            failures.append((contender, failure, where, [c['depth'] for c in own if c['failure'] == failure]))
    if lowest:
        floor = min(lowest) / 2
        for i, (contender, _, _, at) in enumerate(failures):
            axes.plot(at, [floor * 1.35 ** i] * len(at), color=colour[contender['name']], marker='x', markersize=8,
                      linestyle='none', clip_on=False)
        axes.set_ylim(bottom=floor / 1.3)
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    for height, _, x, y, contender in spread_labels(ends, (high - low) * 0.045):
        axes.annotate(contender['label'], (x, y), xytext=(1.03, (height - low) / (high - low)),
                      textcoords='axes fraction', va='center', color=colour[contender['name']],
                      fontweight='bold' if contender['ours'] else 'normal', annotation_clip=False,
                      arrowprops={'arrowstyle': '-', 'color': colour[contender['name']], 'alpha': 0.4, 'linewidth': 0.7,
                                  'shrinkB': 3})
    notes = [f'× {contender["label"]}: {failure}, at {where}' for contender, failure, where, _ in failures]
    notes += [f'{c["label"]}: {c["unavailable"]}' for c in contenders if c['unavailable']]
    figure.text(0.01, -0.02, '\n'.join(notes), va='top', fontsize=8.5)
    figure.savefig(path, bbox_inches='tight', transparent=True, metadata={'Date': None})
    pyplot.close(figure)


def draw(result, directory):
    os.makedirs(directory, exist_ok=True)
    paths = []
    with matplotlib.rc_context(STYLE):
        for key in dict.fromkeys((c['topology'], c['function']) for c in result['cells']):
            cells = [c for c in result['cells'] if (c['topology'], c['function']) == key]
            names = {c['contender'] for c in cells}
            shown = [c for c in result['contenders'] if c['name'] in names or c['unavailable']]
            path = os.path.join(directory, f'throughput_{key[0]}_{key[1]}.svg')
            draw_one(cells, shown, f'{WHERE[key[0]]}: {FUNCTION[key[1]]}', path)
            paths.append(path)
    return paths


if __name__ == '__main__':
    draw_for_command_line(__doc__, draw)
