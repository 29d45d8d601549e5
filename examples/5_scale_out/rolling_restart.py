#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Restarts three servers behind HAProxy in turn, under load, and checks that no request was lost or executed twice.

    rolling_restart.py build/release/examples --rounds 10

With --kill the servers crash instead, and what is executed twice is counted: nothing of the above is promised then.
"""

import argparse
import asyncio
import csv
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from load import Client, Failure, check_ledger, count_twice

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = "one", "two", "three"
HAPROXY = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
# Seconds.
LAME_DUCK = 4  # haproxy.cfg says what that depends on
WATCHDOG = 30

SKIPPED = 77


def free_ports(count):
    """Below those that outgoing connections get: one of them could take the port of a server that is restarting."""
    ports = []
    for port in random.sample(range(20_000, 32_000), 1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                continue
        if len(ports) == count:
            return ports
    raise Failure("no ports are free")


class Process:
    def __init__(self, name, command, environment, directory):
        self.name = name
        self.command = command
        self.environment = {**os.environ, **environment}
        self.log = os.path.join(directory, name + ".log")
        self.child = None

    async def start(self):
        with open(self.log, "wb") as log:
            self.child = await asyncio.create_subprocess_exec(*self.command, env=self.environment,
                                                              stdout=subprocess.DEVNULL, stderr=log)

    async def stop(self, number=signal.SIGTERM):
        self.child.send_signal(number)
        try:
            await asyncio.wait_for(self.child.wait(), WATCHDOG)
        except asyncio.TimeoutError:
            raise Failure(f"{self.name} has not ended after {WATCHDOG} s") from None
        if self.child.returncode not in (0, -signal.SIGKILL):
            raise self.ended()

    def ended(self, when=""):
        """The failure to have done so."""
        with open(self.log, encoding="utf-8") as log:
            last = log.read().strip().rpartition("\n")[2]
        return Failure(f"{self.name} ended with {self.child.returncode}{when}{last and ': ' + last}")

    def is_running(self):
        return self.child is not None and self.child.returncode is None

    def kill(self):
        if self.is_running():
            self.child.kill()


class Farm:
    """HAProxy and the servers behind it."""

    def __init__(self, programs, directory):
        self.port, self.stats_port, *ports = free_ports(2 + 2 * len(NAMES))
        self.ledger = os.path.join(directory, "ledger.txt")
        environment = {"PORT": str(self.port), "STATS_PORT": str(self.stats_port)}
        self.servers = []
        for number, name in enumerate(NAMES, 1):
            port, health = str(ports.pop()), str(ports.pop())
            environment.update({f"SERVER_{number}_PORT": port, f"HEALTH_{number}_PORT": health})
            command = [os.path.join(programs, "3_python", "python_server"), "--app-dir", HERE, "--app", "ledger:enter",
                       "--port", port, "--health-port", health, "--lame-duck", str(LAME_DUCK),
                       "--drain-timeout", str(WATCHDOG), "--linger-timeout", str(WATCHDOG)]
            self.servers.append(Process(name, command, {"LEDGER": self.ledger}, directory))
        command = [HAPROXY, "-db", "-f", os.path.join(HERE, "haproxy.cfg")]
        self.haproxy = Process("haproxy", command, environment, directory)
        self.processes = [*self.servers, self.haproxy]

    async def start(self):
        for process in self.processes:
            await process.start()
        for server in self.servers:
            await self.until(server, "UP")

    async def stop(self):
        await asyncio.gather(*(server.stop() for server in self.servers))

    async def restart(self, server):
        """What happened, and the seconds after which it did."""
        began = time.monotonic()
        ending = asyncio.create_task(server.stop())
        await self.until(server, "NOLB")
        unused = time.monotonic() - began
        await ending
        ended = time.monotonic() - began
        await server.start()
        await self.until(server, "UP")
        up = time.monotonic() - began
        return f"no new connections after {unused:.1f} s, ended after {ended:.1f}, up after {up:.1f}"

    async def crash(self, server):
        await server.stop(signal.SIGKILL)
        await server.start()
        await self.until(server, "UP")
        return "killed, and up again"

    async def until(self, server, status):
        """Wait for a status that a check of HAProxy found; nothing tells, so that it is asked again and again."""
        deadline = time.monotonic() + WATCHDOG
        while True:
            row = (await self.statistics()).get(server.name, {})
            if row.get("status") == status and row["check_status"].endswith(("L7OK", "L7OKC")):
                return
            if not server.is_running():
                raise server.ended(f" before HAProxy found it {status}")
            if time.monotonic() > deadline:
                raise Failure(f"{server.name} is {row.get('status')} after {WATCHDOG} s, not {status}")
            await asyncio.sleep(0.05)

    async def statistics(self):
        """HAProxy's table, by server; empty as long as HAProxy does not listen."""
        if not self.haproxy.is_running():
            raise self.haproxy.ended()
        try:
            text = await asyncio.to_thread(fetch, f"http://127.0.0.1:{self.stats_port}/;csv")
        except OSError:
            return {}
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        return {row["svname"]: row for row in rows if row["pxname"] == "frames"}


def fetch(url):
    with urllib.request.urlopen(url, timeout=WATCHDOG) as page:
        return page.read().decode()


async def roll(restart, farm, clients, rounds):
    for number in range(1, rounds + 1):
        for server in farm.servers:
            happened = await restart(server)
            await served_by(server, clients)
            print(f"round {number}, {server.name}: {happened}; {total(clients, 'answered')} answered, "
                  f"{total(clients, 'moved')} sent again", flush=True)


def total(clients, name):
    return format(sum(getattr(each, name) for each in clients), ",")


async def served_by(server, clients):
    deadline = time.monotonic() + WATCHDOG
    while not any(server.child.pid in client.processes for client in clients):
        if time.monotonic() > deadline:
            raise Failure(f"{server.name} is up, but has served nobody after {WATCHDOG} s")
        await asyncio.sleep(0.05)


async def under_load(clients, work):
    """Do the work while the clients ask; they end before it only if one fails."""
    stop = asyncio.Event()
    asking = asyncio.gather(*(client.run(stop) for client in clients))
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait([asking, working], return_when=asyncio.FIRST_COMPLETED)
        await (asking if asking.done() else working)
        stop.set()
        await asyncio.wait_for(asking, WATCHDOG)
    except asyncio.TimeoutError:
        missing = sum(len(each.outstanding) for each in clients)
        raise Failure(f"{missing} requests have no reply after {WATCHDOG} s") from None
    finally:
        asking.cancel()
        working.cancel()
        await asyncio.gather(asking, working, return_exceptions=True)


async def run(arguments, directory):
    farm = Farm(arguments.programs, directory)
    kill = arguments.kill
    clients = [Client(f"persistent-{i}", farm.port, kill, arguments.depth) for i in range(arguments.persistent)]
    clients += [Client(f"short-{i}", farm.port, kill, depth=4, per_connection=10) for i in range(arguments.short)]
    began = time.monotonic()
    try:
        await farm.start()
        await under_load(clients, roll(farm.crash if kill else farm.restart, farm, clients, arguments.rounds))
        backend = (await farm.statistics())["BACKEND"]
        await farm.stop()
    finally:
        for process in farm.processes:
            process.kill()
    with open(farm.ledger, encoding="ascii") as ledger:
        verdict = f"{count_twice(ledger):,} were executed twice" if kill else check_ledger(ledger, clients)
    print(f"{arguments.rounds * len(NAMES)} restarts in {time.monotonic() - began:.0f} s: {total(clients, 'answered')} "
          f"requests on {total(clients, 'connections')} connections; {total(clients, 'moved')} had to be sent again; "
          f"{verdict}\n"
          f"HAProxy: {backend['econ']} connection errors, {backend['wretr']} retries, {backend['wredis']} redispatches")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", help="the directory where the examples were built")
    parser.add_argument("--rounds", type=int, default=10, help="restarts of each server (%(default)s)")
    parser.add_argument("--persistent", type=int, default=24, help="connections that stay (%(default)s)")
    parser.add_argument("--depth", type=int, default=16, help="requests in flight on each of those (%(default)s)")
    parser.add_argument("--short", type=int, default=8,
                        help="clients that connect anew for each ten requests (%(default)s)")
    parser.add_argument("--kill", action="store_true", help="end the servers with SIGKILL")
    return parser.parse_args()


def main():
    arguments = parse()
    if not HAPROXY:
        print("rolling_restart: haproxy is not installed", file=sys.stderr)
        return SKIPPED
    with tempfile.TemporaryDirectory() as directory:
        try:
            asyncio.run(run(arguments, directory))
        except (Failure, OSError) as error:
            print(f"rolling_restart: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
