#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Runs a fuzzer for a bounded time or number of inputs, from the corpus that is kept.

With --merge, what is new goes to that corpus, as few files as cover the same code. Exit status: 0, or 1 if there is a
finding, which is kept in BUILD/findings.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FUZZERS = ["frame_decoder", "frame_reader", "connection"]
SECONDS_BETWEEN_LINES = 10

# A run, at the most; so many inputs a second are tried that a slow one is a finding.
SECONDS_FOR_ONE_INPUT = 10


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fuzzer", choices=FUZZERS)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "fuzz"), help="the build tree (build/fuzz)")
    parser.add_argument("--fast", action="store_true", help="the build without sanitizers, for many runs")
    parser.add_argument("--seconds", type=int, default=60, help="how long; 0 is until --runs (60)")
    parser.add_argument("--runs", type=int, default=-1, help="how many inputs (as many as the time allows)")
    parser.add_argument("--length", type=int, default=512, help="the longest input (512)")
    parser.add_argument("--merge", action="store_true", help="keep what is new in the corpus")
    arguments = parser.parse_args()
    if arguments.seconds <= 0 and arguments.runs <= 0:
        parser.error("give --seconds or --runs: a run has to end")
    return arguments


class Fuzzer:
    def __init__(self, arguments):
        suffix = "_fast" if arguments.fast else ""
        self.binary = os.path.join(arguments.build, "tests", "fuzz", f"async_resource_fuzz_{arguments.fuzzer}{suffix}")
        if not os.access(self.binary, os.X_OK):
            sys.exit(f"run.py: {self.binary} is not there: cmake --workflow --preset fuzz")
        self.corpus = os.path.join(HERE, "corpus", arguments.fuzzer)
        self.findings = os.path.join(arguments.build, "findings", arguments.fuzzer)
        os.makedirs(self.findings, exist_ok=True)
        self.options = [f"-max_len={arguments.length}", f"-max_total_time={arguments.seconds}",
                        f"-runs={arguments.runs}", f"-timeout={SECONDS_FOR_ONE_INPUT}", "-print_final_stats=1",
                        f"-artifact_prefix={self.findings}/"]
        if arguments.fuzzer == "connection":
            # Its log, a line for each input that ends badly, is left out. Run again, a finding says what it is.
            self.options.append("-close_fd_mask=2")
        if arguments.fast:
            # Half of the time would be spent on what is known of each input.
            self.options += ["-entropic=0", "-reduce_inputs=0"]

    def run(self, found):
        """The exit status. Its output goes through, the lines of each new input as far as they tell how it goes on."""
        process = subprocess.Popen([self.binary, *self.options, found, self.corpus], stderr=subprocess.PIPE, text=True,
                                   errors="replace")
        last = time.monotonic()
        for line in process.stderr:
            if not re.match(r"#\d+\s|\s+NEW_FUNC", line):
                print(line, end="", flush=True)
            elif line.startswith("#") and time.monotonic() - last >= SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                print(line.split(" L: ")[0].rstrip(), flush=True)
        return process.wait()

    def merge(self, found):
        with tempfile.TemporaryDirectory(dir=os.path.dirname(self.corpus)) as merged:
            subprocess.run([self.binary, "-merge=1", "-use_counters=0", merged, self.corpus, found], check=True,
                           stderr=subprocess.DEVNULL)
            for name in os.listdir(self.corpus):
                os.remove(os.path.join(self.corpus, name))
            for name in os.listdir(merged):
                shutil.move(os.path.join(merged, name), self.corpus)
        print(f"{len(os.listdir(self.corpus))} inputs in {self.corpus}")


def main():
    arguments = parse_arguments()
    fuzzer = Fuzzer(arguments)
    with tempfile.TemporaryDirectory() as found:
        status = fuzzer.run(found)
        if status != 0:
            print(f"A finding, in {fuzzer.findings}. To see it again: {fuzzer.binary} FILE")
            return 1
        print(f"{arguments.fuzzer}: no finding")
        if arguments.merge:
            fuzzer.merge(found)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
