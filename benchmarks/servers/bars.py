#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Draws requests per second, a panel for each setting, from what a run.py of servers wrote.

bars.py JSON DIRECTORY
"""

import os
import sys

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import charts  # noqa: E402
from charts import pyplot  # noqa: E402
from report import draw_for_command_line  # noqa: E402


def colour(contender):
    if contender['ours']:
        return charts.OURS['awaited']
    return charts.OTHERS[0] if contender['name'].startswith('figure_') else charts.OTHERS[4]


def draw_panel(axes, cells, contenders, title):
    axes.patch.set_alpha(0)
    cells = sorted(cells, key=lambda cell: cell['requests_per_second']['median'])
    middle = [cell['requests_per_second']['median'] for cell in cells]
    low, high = zip(*(cell['requests_per_second']['quartiles'] for cell in cells))
    spread = [[m - l for m, l in zip(middle, low)], [h - m for m, h in zip(middle, high)]]
    shown = [contenders[cell['contender']] for cell in cells]
    bars = axes.barh([each['label'] for each in shown], middle, xerr=spread, ecolor=charts.GREY,
                     color=[colour(each) for each in shown], height=0.6)
    axes.bar_label(bars, [f'{each:,.0f}' for each in middle], padding=6)
    axes.set_xlim(0, max(high) * 1.25)
    axes.set_title(title, loc='left', fontsize=11)
    axes.xaxis.set_visible(False)
    axes.spines['bottom'].set_visible(False)
    axes.tick_params(axis='y', length=0)


def draw_one(panels, contenders, path):
    figure, all_axes = pyplot.subplots(len(panels), squeeze=False, layout='constrained',
                                       figsize=(9, sum(0.6 + 0.34 * len(cells) for _, cells in panels)))
    figure.patch.set_alpha(0)
    for axes, (title, cells) in zip(all_axes[:, 0], panels):
        draw_panel(axes, cells, contenders, f'Requests a second: {title}')
    figure.savefig(path, transparent=True, metadata={'Date': None})
    pyplot.close(figure)


def draw(result, directory):
    """The files that were made."""
    os.makedirs(directory, exist_ok=True)
    contenders = {each['name']: each for each in result['contenders']}
    charts_of = {}
    for setting in result['settings']:
        cells = [cell for cell in result['cells'] if cell['setting'] == setting['text'] and not cell['failure']]
        if cells:
            charts_of.setdefault(setting['chart'], []).append((setting['title'], cells))
    paths = []
    with charts.matplotlib.rc_context(charts.STYLE):
        for name, panels in charts_of.items():
            paths.append(os.path.join(directory, f'{name}.svg'))
            draw_one(panels, contenders, paths[-1])
    return paths


if __name__ == '__main__':
    draw_for_command_line(__doc__, draw)
