# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Who takes the time of the processors, as Linux has it in /proc."""

import os


def all_ticks():
    """What processes and other virtual machines have had, and what there was."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, idle, wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    taken = user + nice + system + steal
    return taken, taken + idle + wait + irq + softirq


def ticks(pid):
    """What a process has had."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class Processors:
    """From now on, the share that goes to others than this process and those with these identifiers."""

    def __init__(self, *pids):
        self.pids = os.getpid(), *pids
        self.begin = self.now()

    def now(self):
        taken, total = all_ticks()
        return taken - sum(map(ticks, self.pids)), total

    def others(self):
        taken, total = (now - begin for now, begin in zip(self.now(), self.begin))
        return taken / max(total, 1)
