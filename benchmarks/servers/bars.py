#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Draws requests per second, a panel for each setting, from what run.py --json wrote.

bars.py JSON DIRECTORY
"""

import json
import os
import sys

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import charts  # noqa: E402
from charts import pyplot  # noqa: E402

COLOURS = {'echo_server': charts.OURS['awaited'], 'figure_1_echo': charts.OTHERS[0]}


def draw_panel(axes, cells, labels, title):
    axes.patch.set_alpha(0)
    good = [cell for cell in cells if not cell['failure']]
    good.sort(key=lambda cell: cell['requests_per_second']['median'])
    middle = [cell['requests_per_second']['median'] for cell in good]
    low, high = zip(*(cell['requests_per_second']['quartiles'] for cell in good))
    spread = [[m - l for m, l in zip(middle, low)], [h - m for m, h in zip(middle, high)]]
    bars = axes.barh([labels[cell['contender']] for cell in good], middle, xerr=spread, ecolor=charts.GREY,
                     color=[COLOURS.get(cell['contender'], charts.OTHERS[4]) for cell in good], height=0.6)
    axes.bar_label(bars, [f'{each:,.0f}' for each in middle], padding=6)
    axes.set_xlim(0, max(high) * 1.25)
    axes.set_title(title, loc='left', fontsize=11)
    axes.xaxis.set_visible(False)
    axes.spines['bottom'].set_visible(False)
    axes.tick_params(axis='y', length=0)


def draw(result, directory):
    """One file, whose name it returns."""
    os.makedirs(directory, exist_ok=True)
    labels = {each['name']: each['label'] for each in result['contenders']}
    panels = [(setting['title'], [cell for cell in result['cells'] if cell['setting'] == setting['text']])
              for setting in result['settings']]
    panels = [(title, cells) for title, cells in panels if any(not cell['failure'] for cell in cells)]
    path = os.path.join(directory, 'servers.svg')
    with charts.matplotlib.rc_context(charts.STYLE):
        figure, all_axes = pyplot.subplots(len(panels), squeeze=False, layout='constrained',
                                           figsize=(9, sum(0.6 + 0.34 * len(cells) for _, cells in panels)))
        figure.patch.set_alpha(0)
        for axes, (title, cells) in zip(all_axes[:, 0], panels):
            draw_panel(axes, cells, labels, f'Requests a second: {title}')
        figure.savefig(path, transparent=True, metadata={'Date': None})
        pyplot.close(figure)
    return path


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding='utf-8') as source:
        print(draw(json.load(source), sys.argv[2]))
