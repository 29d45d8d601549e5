#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Clients that nobody here wrote, against the example servers.

    tests/clients/run.py                     all of them
    tests/clients/run.py kdig twisted        some
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
os.environ.setdefault("EXAMPLES", os.path.join(ROOT, "examples"))
os.environ.setdefault("EXAMPLES_BUILD", os.path.join(ROOT, "build", "test", "examples"))
sys.path.insert(0, os.path.join(ROOT, "tests", "servers"))
from harness import EXAMPLES, WATCHDOG, Server, program  # noqa: E402

SKIPPED = 77
MEBIBYTE = 1 << 20


class Failure(Exception):
    """Its text is the line that says what is wrong."""


def run(*command):
    """What a client writes to its standard output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=WATCHDOG)
    if done.returncode != 0:
        text = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise Failure(text.splitlines()[-1])
    return done.stdout


def expect(what, actual, expected):
    if actual != expected:
        raise Failure(f"{what}: {actual!r} instead of {expected!r}")


class Serving(Server):
    """A server that must also stop cleanly."""

    def __init__(self, path, *options):
        super().__init__([program(path), "--port", "0", "--threads", "2", *options])
        self.port = str(self.address[1])

    def __exit__(self, failed, *_):
        try:
            if failed is None:
                expect("the server's exit status", self.stop(), 0)
        finally:
            super().__exit__()


def dns_server():
    return Serving("3_python/python_server", "--app-dir", os.path.join(EXAMPLES, "3_python"), "--app", "dns:answer")


def python_echo(_, limit):
    return Serving("3_python/python_server", "--app-dir", os.path.join(ROOT, "tests", "servers"), "--app", "apps:echo",
                   "--limit", str(limit))


def echo(prefix, limit):
    return Serving("2_servers/echo_server", "--prefix", str(prefix), "--limit", str(limit))


def dig():
    with dns_server() as server:
        command = "dig", "-r", "+tcp", "+tries=1", "-p", server.port, "@127.0.0.1"
        for name, kind, answer in (("ns1.example", "A", "192.0.2.53"), ("ns1.example", "AAAA", "2001:db8::53"),
                                   ("example", "MX", "10 mail.example.")):
            expect(f"{name} {kind}", run(*command, "+short", name, kind).strip(), answer)
        expect("an unknown name", "status: NXDOMAIN" in run(*command, "nothing.example", "A"), True)


def kdig():
    with dns_server() as server:
        command = "kdig", "+tcp", "+retry=0", "-p", server.port, "@127.0.0.1"
        text = run(*command, "+keepopen", *("example", "MX", "nothing.example", "A", "example.org", "A") * 50)
        expect("replies on one connection", re.findall(r"status: (\w+)", text), ["NOERROR", "NXDOMAIN", "REFUSED"] * 50)
        expect("connections made", len(set(re.findall(r"From (\S+)", text))), 1)
        expect("ns1.example AAAA", run(*command, "+short", "ns1.example", "AAAA").strip(), "2001:db8::53")


def dnsperf():
    """Eight connections with 25 queries outstanding on each; then the same, with a new connection every 50 queries."""
    passes, codes = 1000, {"NOERROR": 7000, "NXDOMAIN": 2000, "REFUSED": 1000}
    with dns_server() as server:
        command = ("dnsperf", "-W", "-m", "tcp", "-s", "127.0.0.1", "-p", server.port, "-c", "8", "-q", "200",
                   "-d", os.path.join(HERE, "dnsperf.txt"), "-n", str(passes))
        for options in (), ("-O", "num-queries-per-conn=50"):
            text = run(*command, *options)
            expect("lost", re.search(r"Queries lost: +(\d+)", text)[1], "0")
            codes_seen = re.findall(r"([A-Z]+) (\d+) \(", re.search(r"Response codes: .*", text)[0])
            expect("response codes", {code: int(count) for code, count in codes_seen}, codes)
            expect("warnings", re.findall(r"\[(?:Warning|Error)\].*", text), [])


def gen_tcp():
    script = os.path.join(HERE, "gen_tcp.escript")
    for serving, prefix, greatest in (python_echo, 2, 65_535), (echo, 2, 65_535), (echo, 4, MEBIBYTE):
        with serving(prefix, greatest) as server:
            run("escript", script, server.port, str(prefix), "16", "1000", str(greatest))


def twisted():
    script = os.path.join(HERE, "twisted_strings.py")
    for serving, prefix, greatest in ((python_echo, 2, 65_535), (echo, 1, 255), (echo, 2, 65_535), (echo, 4, MEBIBYTE)):
        with serving(prefix, greatest) as server:
            run(python_with_twisted(), script, server.port, "--prefix", str(prefix), "--greatest", str(greatest))


def python_with_twisted():
    """Debian's Python need not be the first in PATH."""
    for python in sys.executable, "/usr/bin/python3":
        command = [python, "-c", "import twisted"]
        if shutil.which(python) and subprocess.run(command, capture_output=True).returncode == 0:
            return python
    return None


# The client, how to find it, and Debian's package.
CLIENTS = {
    "dig": (dig, lambda: shutil.which("dig"), "bind9-dnsutils"),
    "kdig": (kdig, lambda: shutil.which("kdig"), "knot-dnsutils"),
    "dnsperf": (dnsperf, lambda: shutil.which("dnsperf"), "dnsperf"),
    "gen_tcp": (gen_tcp, lambda: shutil.which("escript"), "erlang-base"),
    "twisted": (twisted, python_with_twisted, "python3-twisted"),
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", metavar="CLIENT", nargs="*", help="one of " + ", ".join(CLIENTS))
    parser.add_argument("--require", action="store_true", help="a client that is not installed is a failure")
    options = parser.parse_args()
    for name in options.clients:
        if name not in CLIENTS:
            parser.error(f"no client is called '{name}'")
    return options


def check(name, require):
    """What became of a client: None if it passed."""
    client, find, package = CLIENTS[name]
    if not find():
        return f"failed: {package} is not installed" if require else f"skipped: {package} is not installed"
    try:
        client()
    except (Failure, OSError, RuntimeError) as error:
        return "failed: " + str(error).removeprefix(name + ": ")
    except subprocess.TimeoutExpired:
        return f"failed: not done after {WATCHDOG} s"
    return None


def main():
    options = parse()
    results = []
    for name in options.clients or CLIENTS:
        results.append(check(name, options.require) or "passed")
        print(f"{name}: {results[-1]}", flush=True)
    if any(result.startswith("failed") for result in results):
        return 1
    return SKIPPED if all(result.startswith("skipped") for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
