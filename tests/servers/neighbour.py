#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""A well-behaved client that measures how long it waits for its replies.

A process of its own, so that nothing but the server and the machine delays it. For each line on the standard input, a
number, it asks so many requests, one a millisecond, and answers with a line of JSON, the milliseconds that each took.
In between it asks now and then, so that no server finds it idle.
"""

import argparse
import gc
import json
import select
import sys
import time

from harness import Client, speak_tls

INTERVAL = 0.001
KEEP_ALIVE = 0.1


class Neighbour:
    def __init__(self, client, request, reply):
        self.client = client
        self.request = request
        self.reply = reply

    def ask(self):
        reply = self.client.ask(self.request)
        if reply != self.reply:
            sys.exit(f"neighbour.py: {self.request!r} was answered by {reply!r}")

    def measure(self, count):
        """A request that is late, as the replies before it were, has waited since it was due."""
        times = []
        due = time.perf_counter()
        for _ in range(count):
            ahead = due - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            start = time.perf_counter() if ahead > 0 else due
            self.ask()
            times.append(1000 * (time.perf_counter() - start))
            due += INTERVAL
        return times

    def serve(self):
        while True:
            if not select.select([sys.stdin], [], [], KEEP_ALIVE)[0]:
                self.ask()
                continue
            line = sys.stdin.readline()
            if not line:
                return
            print(json.dumps(self.measure(int(line))), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--request", type=bytes.fromhex, default="", help="its payload, in hexadecimal digits")
    parser.add_argument("--reply", type=bytes.fromhex, help="if not the same")
    parser.add_argument("--tls", action="store_true")
    arguments = parser.parse_args()
    gc.disable()
    reply = arguments.request if arguments.reply is None else arguments.reply
    with Client((arguments.host, arguments.port), speak_tls if arguments.tls else None) as client:
        Neighbour(client, arguments.request, reply).serve()


if __name__ == "__main__":
    main()
