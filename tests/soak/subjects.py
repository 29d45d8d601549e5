# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""The servers of the soak, each behind a proxy that injects faults, and what they have to answer."""

import asyncio
import collections
import os
import random
import shutil
import signal
import ssl
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
APPS = os.path.join(HERE, os.pardir, "servers")
WATCHDOG = 60


class Failure(Exception):
    """What ends the soak with one line."""


def size(limit):
    """From none to the limit, small ones more often."""
    return random.randint(0, random.choice((16, 256, 4096, limit)))


class Echo:
    """A conversation with an echo server: gives requests, and whether a reply is right."""

    hungry = bytes(65_535)

    def request(self):
        payload = random.randbytes(size(65_535))
        return payload, payload.__eq__

    def end(self):
        pass


def field(content):
    return len(content).to_bytes(2, "big") + content


class KeyValues:
    """One with kv_server: about keys of its own, of which it knows what it has put."""

    hungry = b"S\0\0"

    # Those that nobody uses. The one that is taken next has been left longest: what was put then has been executed.
    slots = collections.deque(range(64))

    def __init__(self):
        self.slot = self.slots.popleft()
        self.known = {}

    def end(self):
        self.slots.append(self.slot)

    def request(self):
        key = b"%d/%d" % (self.slot, random.randrange(16))
        kind = random.random()
        if kind < 0.02:
            return b"X", b"!no such request".__eq__
        if kind < 0.5:
            self.known[key] = value = random.randbytes(size(60_000))
            return b"P" + field(key) + field(value), b"+".__eq__
        if key in self.known:
            return b"G" + field(key), (b"+" + field(self.known[key])).__eq__
        return b"G" + field(key), lambda reply: reply == b"-" or reply[:1] == b"+"


class Child:
    """A program that says where it listens."""

    process = None

    async def start(self, *command):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=self.errors)
        line = (await self.process.stdout.readline()).decode().strip()
        if not line.startswith("listening on "):
            raise Failure(f"{command[0]} does not listen: {self.stderr()}")
        self.port = int(line.rsplit(":", 1)[1])

    def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()

    async def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), WATCHDOG)

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read()

    def resident(self):
        """In KiB."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Proxy(Child):
    async def start(self, program, target, seed):
        await super().start(program, "--target", str(target), "--seed", str(seed))
        self.cuts = {}
        self.reading = asyncio.create_task(self.read())

    async def read(self):
        async for line in self.process.stdout:
            self.cut(int(line.split()[1])).set()

    def cut(self, port):
        return self.cuts.setdefault(port, asyncio.Event())

    def forget(self, port):
        """It is another connection's now."""
        self.cuts.pop(port, None)

    async def has_cut(self, port):
        """Whether it has cut the connection from that port, which has ended; it may say so a little later."""
        try:
            await asyncio.wait_for(self.cut(port).wait(), 2)
        except asyncio.TimeoutError:
            return False
        return True


class Subject:
    """A server, its proxy, and what they have seen."""

    def __init__(self, name, talk, *command, tls=None):
        self.name = name
        self.talk = talk
        self.command = command
        self.tls = tls
        self.server, self.proxy = Child(), Proxy()
        self.samples = []
        self.draining = False

    async def start(self, proxy, seed, options):
        await self.server.start(*self.command, "--port", "0", *options)
        await self.proxy.start(proxy, self.server.port, seed)
        self.descriptors = self.server.descriptors()

    def sample(self, when):
        self.samples.append((when, self.server.resident(), self.server.descriptors()))

    def kill(self):
        for child in (self.server, self.proxy):
            child.kill()


def make_certificate(directory):
    """The options of a server that has it."""
    key, certificate = (os.path.join(directory, name) for name in ("key.pem", "certificate.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return "--tls-certificate", certificate, "--tls-key", key


def speaks_tls(program):
    run = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    return "--tls-certificate" in run.stdout and shutil.which("openssl")


def all_subjects(programs, directory):
    """Those that were built."""
    echo, python, key_values = (os.path.join(programs, path) for path in
                                ("2_servers/echo_server", "3_python/python_server", "4_sqlite/kv_server"))
    if not os.path.exists(echo):
        raise Failure(f"{echo} is not there")
    yield Subject("echo", Echo, echo)
    if speaks_tls(echo):
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        yield Subject("tls", Echo, echo, *make_certificate(directory), tls=trusting)
    if os.path.exists(python):
        yield Subject("python", Echo, python, "--app-dir", APPS, "--app", "apps:echo")
    if os.path.exists(key_values):
        yield Subject("kv", KeyValues, key_values, "--database", os.path.join(directory, "kv.db"))
