# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""A program that serves through the extension module, and what tests ask of it."""

import glob
import os
import re
import signal
import subprocess
import sys
import textwrap

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "servers"))

from harness import WATCHDOG, Server, python_environment  # noqa: E402

PYTHON = os.environ.get("PYTHON", sys.executable)
VERSION = tuple(map(int, subprocess.check_output(
    [PYTHON, "-c", "import sys; print(*sys.version_info[:2])"], text=True).split()))
POLICIES = ["per_batch", "held"] + (["own_gil"] if VERSION >= (3, 12) else [])

pytestmark = pytest.mark.skipif(os.environ.get("PRELOAD") == "unavailable",
                                reason="the sanitizer's run-time library cannot be preloaded")

UNDER_TSAN = "thread" in os.environ.get("SANITIZERS", "")

BEFORE = """
import asyncio, logging, os, signal, sys, threading, traceback
from async_resource_server import serve
"""

# Python calls it with what waits on its standard input.
WAIT = """
import os
def app(request):
    print("called")
    return os.read(0, 100) + request
"""

ENDLESS = """
def app(request):
    print("called")
    while True:
        pass
"""

NOTED = "signal.signal(signal.SIGINT, lambda *a: (print('noted'), signal.default_int_handler(*a)))"

HOOK = """
def hook(kind, error, trace):
    print(kind.__name__, error, error.__traceback__ is trace, [f.name for f in traceback.extract_tb(trace)])
sys.excepthook = hook
"""


@pytest.fixture
def start(tmp_path):
    """Starts a program that serves; its app is in a module of its own, to be had under every policy."""
    servers = []

    def start(app, arguments="app", before="", after="", **keywords):
        (tmp_path / "served.py").write_text(textwrap.dedent(app))
        code = (f"{BEFORE}\nfrom served import *\n{textwrap.dedent(before)}\n"
                f"print('returned', serve({arguments}, port=0))\n{textwrap.dedent(after)}")
        environment = python_environment()
        environment["PYTHONPATH"] += os.pathsep + str(tmp_path)
        servers.append(Server([PYTHON, "-u", "-c", code], env=environment, stdin=subprocess.PIPE, **keywords))
        return servers[-1]

    yield start
    for server in servers:
        server.process.stdin.close()
        server.process.stdin = None
        server.__exit__()


def arguments_for(policy):
    return f"{'app' if policy != 'own_gil' else repr('served:app')}, policy={policy!r}"


def run_python(code):
    return subprocess.run([PYTHON, "-c", BEFORE + code], capture_output=True, text=True, timeout=WATCHDOG,
                          env=python_environment())


def longest_timer(server):
    """The seconds that the last timer of its threads has to go."""
    result = 0
    for path in glob.glob(f"/proc/{server.process.pid}/fdinfo/*"):
        with open(path, encoding="ascii") as file:
            for seconds in re.findall(r"^it_value: \((\d+),", file.read(), re.MULTILINE):
                result = max(result, int(seconds))
    return result


def lines(server, count):
    return [server.process.stdout.readline().rstrip("\n") for _ in range(count)]


def give(server, text):
    server.process.stdin.write(text)
    server.process.stdin.flush()


def stop(server):
    """What it printed after Ctrl-C, and to its standard error."""
    server.signal(signal.SIGINT)
    server.process.wait(WATCHDOG)
    assert server.process.returncode == 0, server.stderr()
    return server.process.stdout.read().splitlines(), server.stderr()
