# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Servers as processes, the load put on them, and what that took them."""

import json
import os
import re
import select
import subprocess
import tempfile
import time

WATCHDOG = 60


class Failure(Exception):
    """One line for the user."""


class Server:
    """A program that says on its first line where it listens; stopped by SIGTERM at the end of the with block."""

    def __init__(self, command, processors=None):
        self.errors = tempfile.TemporaryFile('w+')
        try:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                            preexec_fn=processors and (lambda: os.sched_setaffinity(0, processors)))
        except OSError as error:
            raise Failure(f'{command[0]}: {error.strerror}') from None
        try:
            self.address = self.read_address()
        except Failure:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(WATCHDOG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def read_address(self):
        ready, _, _ = select.select([self.process.stdout], [], [], WATCHDOG)
        line = self.process.stdout.readline().strip() if ready else ''
        match = re.fullmatch(r'listening on \[?(.*?)\]?:(\d+)', line)
        if not match:
            raise Failure(f'does not listen: {(line + " " + self.complaint()).strip()}')
        return match.groups()

    def complaint(self):
        """What it wrote last to its standard error, of errors if there are any."""
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return ([line for line in lines if 'Error' in line] or lines or [''])[-1]

    def processor_seconds(self):
        """Of its threads, those that have ended included, user and system."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # As clock_getcpuclockid() has it on Linux.

    def peak_memory(self):
        """Bytes."""
        with open(f'/proc/{self.process.pid}/status', encoding='utf-8') as status:
            return 1024 * int(re.search(r'VmHWM:\s+(\d+) kB', status.read()).group(1))


def last_line(text):
    return (text.strip().splitlines() or [''])[-1]


def run_client(command, processors=None):
    """What a client wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          preexec_fn=processors and (lambda: os.sched_setaffinity(0, processors)))
    if done.returncode != 0:
        raise Failure(last_line(done.stderr) or f'{os.path.basename(command[0])} ended with {done.returncode}')
    return done.stdout


def put_load(load, server, options, processors=None):
    """Runs the load generator, whose result it returns."""
    host, port = server.address
    return json.loads(run_client([load, '--host', host, '--port', port, *options], processors))


def measure(command, client, processors):
    """One server, one client: client(server) returns a result with `all_requests`, to which is added what they took."""
    with Server(command, processors) as server:
        before = server.processor_seconds()
        result = client(server)
        used = server.processor_seconds() - before
        result['cpu_ns_per_request'] = used * 1e9 / result['all_requests']
        result['peak_memory'] = server.peak_memory()
        return result


def traced(load, command, options, requests):
    """The system calls of a server's life, by name, and the requests it answered."""
    with tempfile.NamedTemporaryFile('r', prefix='strace-') as table:
        with Server(['strace', '-I2', '-f', '-c', '-o', table.name, *command]) as server:
            answered = put_load(load, server, [*options, '--warm-up', '0', '--requests', str(requests)])['all_requests']
        rows = [line.split() for line in table if re.match(r'\s*\d+\.\d', line)]
    return {row[-1]: int(row[3]) for row in rows if row[-1] != 'total'}, answered


def count_system_calls(load, command, options, requests):
    """For each request, by name: the difference of two runs, so that start and end cancel out."""
    few, answered_few = traced(load, command, options, requests)
    many, answered_many = traced(load, command, options, 3 * requests)
    more = answered_many - answered_few
    return {name: (count - few.get(name, 0)) / more for name, count in many.items() if count != few.get(name, 0)}
