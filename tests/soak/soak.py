#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Ten minutes of mixed traffic with faults injected, on echo_server, its TLS, python_server and kv_server.

    soak.py build/release --seconds 600

Each server is behind fault_proxy, which splits, merges, holds back and cuts, by the seed. Good clients and bad talk to
it: every reply that arrives has to be right and in its place, every connection that ends has to be explained, by the
proxy or by what the client itself did. Once warm, neither memory nor descriptors may grow, and in the end every server
drains under load.
"""

import argparse
import asyncio
import collections
import os
import random
import statistics
import sys
import tempfile
import time

from clients import Asks, Unexplained, any_client, frame
from subjects import WATCHDOG, Echo, Failure, Subject, all_subjects

OPTIONS = ("--threads", "2", "--log", "--idle-timeout", "5", "--read-timeout", "5", "--write-timeout", "5",
           "--drain-timeout", "20")

# The first part of the time warms up; of the rest, the medians of the first and the last third are compared. In ten
# minutes that finds 250 bytes lost with each connection; in less than five SQLite is not warm.
WARM_UP = 0.25
GROWTH = 4096  # KiB
SHORT = 300


class Soak:
    def __init__(self, arguments, subjects):
        self.arguments = arguments
        self.subjects = subjects
        self.tally = collections.Counter()
        self.failures = []
        self.start = time.monotonic()
        self.over = False

    def elapsed(self):
        return time.monotonic() - self.start

    def say(self, text):
        print(f"{self.elapsed():6.1f} s: {text}", flush=True)

    def fail(self, text):
        self.failures.append(text)
        self.say(f"FAILED: {text}")

    async def run(self):
        clients = [self.one_after_the_other(subject) for subject in self.subjects
                   for _ in range(self.arguments.connections)]
        await asyncio.gather(self.watch(), *clients)
        for subject in self.subjects:
            await self.expect_descriptors_back(subject)
            self.expect_flat(subject)
        await asyncio.gather(*map(self.drain, self.subjects))

    async def one_after_the_other(self, subject):
        while not self.over:
            await self.account_for(any_client(subject, self.tally))

    async def account_for(self, client):
        try:
            await client.run()
        except Unexplained as failure:
            self.fail(str(failure))

    async def watch(self):
        progress = 0
        while self.elapsed() < self.arguments.seconds:
            await asyncio.sleep(0.5)
            for subject in self.subjects:
                if subject.server.process.returncode is not None:
                    raise Failure(f"{subject.name} ended: {subject.server.stderr()[-2000:]}")
                subject.sample(self.elapsed())
            if self.elapsed() >= progress:
                progress += 5
                self.report()
        self.over = True

    def report(self):
        counts = ", ".join(f"{number} {what}" for what, number in sorted(self.tally.items()))
        servers = ", ".join(f"{subject.name} {subject.samples[-1][1] / 1024:.1f} MiB {subject.samples[-1][2]} fds"
                            for subject in self.subjects)
        self.say(f"{counts}; {servers}")

    async def expect_descriptors_back(self, subject):
        deadline = time.monotonic() + WATCHDOG
        while subject.server.descriptors() != subject.descriptors:
            if time.monotonic() > deadline:
                self.fail(f"{subject.name}: {subject.server.descriptors()} descriptors, {subject.descriptors} before")
                return
            await asyncio.sleep(0.05)

    def expect_flat(self, subject):
        warm = [sample for sample in subject.samples if sample[0] > WARM_UP * self.arguments.seconds]
        third = len(warm) // 3
        growth = GROWTH if self.arguments.seconds >= SHORT else 4 * GROWTH
        for index, what, most in ((1, "KiB", growth), (2, "descriptors", self.arguments.connections)):
            before, after = (statistics.median(sample[index] for sample in part)
                             for part in (warm[:third], warm[-third:]))
            self.say(f"{subject.name}: {before:.0f} {what} when warm, {after:.0f} in the end")
            if after - before > most:
                self.fail(f"{subject.name}: {what} grow")

    async def drain(self, subject):
        """Under load; what had been begun is answered, or not at all."""
        clients = [Asks(subject, self.tally, count=10_000) for _ in range(self.arguments.connections)]
        running = [asyncio.create_task(self.account_for(client)) for client in clients]
        started = [asyncio.create_task(client.under_way.wait()) for client in clients]
        for client, start in zip(running, started):
            await asyncio.wait((client, start), return_when=asyncio.FIRST_COMPLETED)
        subject.draining = True
        status = await subject.server.stop()
        await asyncio.gather(*running)
        for start in started:
            start.cancel()
        await subject.proxy.stop()
        self.say(f"{subject.name}: drained with status {status}")
        if status != 0:
            self.fail(f"{subject.name}: ended with {status}")
        for line in subject.server.stderr().splitlines():
            if not line.startswith("event="):
                self.fail(f"{subject.name} complains: {line}")


class Nobody:
    """A proxy that cuts nothing, in front of a server here."""

    def forget(self, port):
        pass

    def cut(self, port):
        return asyncio.Event()

    async def has_cut(self, port):
        return False


async def check():
    """That clients notice what is wrong."""
    async def swaps(reader, writer):
        one, other = [await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")) for _ in range(2)]
        writer.write(frame(other) + frame(one))

    async def leaves(reader, writer):
        await reader.readexactly(2)
        writer.close()

    for serve in (swaps, leaves):
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            subject = Subject(serve.__name__, Echo)
            subject.proxy = Nobody()
            subject.proxy.port = server.sockets[0].getsockname()[1]
            try:
                await Asks(subject, collections.Counter(), count=100, in_flight=2).run()
            except Unexplained:
                continue
            raise Failure(f"a server that {serve.__name__} is not noticed")


async def soak(arguments, directory):
    subjects = list(all_subjects(os.path.join(arguments.build, "examples"), directory))
    await check()
    proxy = os.path.join(arguments.build, "tests/soak/fault_proxy")
    try:
        for number, subject in enumerate(subjects):
            await subject.start(proxy, arguments.seed + number, OPTIONS)
        run = Soak(arguments, subjects)
        await run.run()
    finally:
        for subject in subjects:
            subject.kill()
    if run.failures:
        raise Failure(f"{len(run.failures)} failures with seed {arguments.seed}")
    run.say("passed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="the build tree that has examples/ and tests/soak/")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--connections", type=int, default=12, help="at once, to each server")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(soak(arguments, directory))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print(f"soak.py: {failure}", file=sys.stderr)
        sys.exit(1)
