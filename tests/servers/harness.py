# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Servers as child processes, and a client, for the tests beside this file."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

EXAMPLES = os.environ.get("EXAMPLES", "")
BUILD = os.environ.get("EXAMPLES_BUILD", "")
HERE = os.path.dirname(os.path.abspath(__file__))

# A test that waits for what never comes fails, instead of waiting for ever.
WATCHDOG = 60


def allow_descriptors():
    """As many as the system lets this process and its children have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def speak_tls(plain):
    """To a server whose certificate nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


def program(path):
    return os.path.join(BUILD, path)


class Server:
    """A server on a free port, stopped by SIGTERM at the end of the with block."""

    def __init__(self, command, **keywords):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True, **keywords)
        line = self.process.stdout.readline().strip()
        if not line.startswith("listening on "):
            self.process.wait(WATCHDOG)
            complaint = self.stderr()
            self.__exit__()
            raise RuntimeError(f"{command[0]} does not listen: {line} {complaint}")
        self.address = parse_address(line.removeprefix("listening on "))

    @classmethod
    def serving(cls, path, app, *options, **keywords):
        return cls([program(path), "--app-dir", HERE, "--app", app, "--port", "0", *options], **keywords)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdout.close()
        self.process.wait()
        self.errors.close()

    def connect(self, wrap=None):
        """A client; wrap, if given, turns its socket into what it speaks through."""
        return Client(self.address, wrap)

    def health(self):
        """The status and the statistics that the health endpoint answers with; it is said behind the address."""
        if not hasattr(self, "health_url"):
            line = self.process.stdout.readline().strip()
            assert line.startswith("health on "), line
            self.health_url = f"http://{line.removeprefix('health on ')}/"
        try:
            with urllib.request.urlopen(self.health_url, timeout=WATCHDOG) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def await_health(self, expected):
        """Ask until the status or the statistics are as expected; what they are then."""
        deadline = time.monotonic() + WATCHDOG
        while time.monotonic() < deadline:
            health = self.health()
            if expected(*health):
                return health
        raise RuntimeError(f"the health endpoint still says {health}")

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        """The exit status; what was written to the standard output meanwhile is in self.output."""
        self.output, _ = self.process.communicate(timeout=WATCHDOG)
        if self.process.returncode != 0:
            print(self.stderr(), file=sys.stderr)
        return self.process.returncode

    def stop(self):
        self.signal()
        return self.wait()

    def stderr(self):
        # Reading moves the offset, which is the server's too; os.pread does not.
        return os.pread(self.errors.fileno(), os.fstat(self.errors.fileno()).st_size, 0).decode()

    def await_stderr(self, expected):
        await_text(self.stderr, expected)

    def descriptors(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self, peak=False):
        """Its memory in bytes, or the most that it was since forget_peak()."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["VmHWM" if peak else "VmRSS"].split()[0]) * 1024

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def growth_by_unread_replies(self, count, requests):
        """What its memory grows by at most while so many connections send these and read nothing, until it gives them
        up: it has a health port and a write time-out."""
        before = self.resident()
        self.forget_peak()
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(self.connect()).send_all(requests)
            self.await_health(lambda _, statistics: statistics["timed_out"] == count)
        return self.resident(peak=True) - before

    def log(self):
        """What the lines of --log and --stats say, each a dictionary."""
        pairs = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
        return [{name: value.strip('"') for name, value in pairs.findall(line)}
                for line in self.stderr().splitlines() if line.startswith("event=")]

    def ends(self):
        """Why connections ended, as --log has it, sorted."""
        return sorted(line["end"] for line in self.log() if line["event"] == "closed")


def await_text(read, expected):
    """Read until what is expected is in it."""
    deadline = time.monotonic() + WATCHDOG
    while expected not in read():
        if time.monotonic() > deadline:
            raise RuntimeError(f"there is no {expected!r} in {read()!r}")


def parse_address(text):
    if text.startswith("unix:"):
        return text.removeprefix("unix:")
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def connect(address):
    if isinstance(address, tuple):
        result = socket.create_connection(address, WATCHDOG)
        result.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return result
    result = socket.socket(socket.AF_UNIX)
    result.settimeout(WATCHDOG)
    result.connect(address)
    return result


class Client:
    """A connection that speaks frames."""

    def __init__(self, address, wrap=None):
        self.socket = connect(address)
        if wrap:
            self.socket = wrap(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, payload):
        self.socket.sendall(struct.pack(">H", len(payload)) + payload)

    def receive(self):
        """One payload, or None at the end of the stream."""
        prefix = self.read(2)
        return None if prefix is None else self.read(*struct.unpack(">H", prefix))

    def send_all(self, payloads):
        """Several frames, in one piece."""
        self.socket.sendall(b"".join(struct.pack(">H", len(payload)) + payload for payload in payloads))

    def ask(self, payload):
        self.send(payload)
        return self.receive()

    def finish(self):
        """Close the sending side."""
        self.socket.shutdown(socket.SHUT_WR)

    def read(self, size):
        """So many bytes, or None if the stream ends before."""
        data = bytearray()
        while len(data) < size:
            try:
                chunk = self.socket.recv(size - len(data))
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return None
            data += chunk
        return bytes(data)


def python_environment():
    """The environment in which Python finds the extension module."""
    environment = {**os.environ, "PYTHONPATH": program("3_python")}
    if os.environ.get("PRELOAD"):
        environment["LD_PRELOAD"] = os.environ["PRELOAD"]
        environment["ASAN_OPTIONS"] = "detect_leaks=0"
    return environment


def python(*arguments):
    return [sys.executable, *arguments]
