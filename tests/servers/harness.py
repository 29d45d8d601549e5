# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Servers as child processes, and a client, for the tests beside this file."""

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile

EXAMPLES = os.environ["EXAMPLES"]
BUILD = os.environ["EXAMPLES_BUILD"]
HERE = os.path.dirname(os.path.abspath(__file__))

# A test that waits for what never comes fails, instead of waiting for ever.
WATCHDOG = 60


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
            raise RuntimeError(f"{command[0]} does not listen: {line} {self.stderr()}")
        host, port = line[len("listening on "):].rsplit(":", 1)
        self.address = host.strip("[]"), int(port)

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

    def connect(self):
        return Client(self.address)

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
        self.errors.seek(0)
        return self.errors.read()


class Client:
    """A connection that speaks frames."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, WATCHDOG)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, payload):
        self.socket.sendall(struct.pack(">H", len(payload)) + payload)

    def receive(self):
        """One payload, or None at the end of the stream."""
        prefix = self._read(2)
        return None if prefix is None else self._read(*struct.unpack(">H", prefix))

    def ask(self, payload):
        self.send(payload)
        return self.receive()

    def _read(self, size):
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
