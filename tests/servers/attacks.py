#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""What clients do to servers, each as a process of its own.

An attack says "ready" when it has begun and goes on until its standard input ends, and until it has done the least that
makes it one; then it writes a line of JSON, what it did, and vanishes with all its connections.

Real attackers have machines of their own. With --gives-way this one takes what the server and its clients leave of
theirs, and gives way as soon as one of them wakes up; were it only nice, they would wait for the end of its time slice,
some milliseconds. Where others keep the machine busy, next to nothing is left to it.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import select
import socket
import ssl
import struct
import sys
import threading
import time

from harness import WATCHDOG, Client, allow_descriptors, speak_tls

PING = b"\0\4ping"
LARGEST = b"\xff\xff" + bytes(65_535)
NOT_YET = BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError


class Target:
    """The server, and what was done to it."""

    def __init__(self, arguments):
        self.address = arguments.host, arguments.port
        self.tls = arguments.tls
        self.connections = arguments.connections
        self.hungry = arguments.hungry
        self.watchdog = arguments.watchdog
        self.kept = []
        self.finish = lambda: None
        self.did = collections.Counter()
        self.changed = threading.Condition()

    def count(self, what, number=1):
        with self.changed:
            self.did[what] += number
            self.changed.notify_all()

    def wait_for(self, what, number):
        with self.changed:
            self.changed.wait_for(lambda: self.did[what] >= number, self.watchdog)

    def size(self, usual):
        """How many connections there are to be at once."""
        self.did["at once"] = self.connections or usual
        return self.did["at once"]

    def connect(self):
        """A connection that speaks TLS if the server does. Handshakes take long where everybody goes first."""
        while True:
            with contextlib.suppress(ConnectionResetError, ssl.SSLError):
                connection = Client(self.address, speak_tls if self.tls else None).socket
                self.count("connections")
                return connection

    def connect_plainly(self):
        connection = socket.create_connection(self.address)
        self.count("connections")
        return connection


ATTACKS = {}
LEAST = {}


def attack(what, least="at once"):
    """What it counts of, and how many are the least; as many as there are connections at once, if not said."""
    def register(run):
        ATTACKS[run.__name__] = run
        LEAST[run.__name__] = what, least
        return run

    return register


def least_of(name, did):
    """What the attack has to have done, and how often."""
    what, least = LEAST[name]
    return what, did.get(least, least)


def in_background(run, count=1):
    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def again_and_again(target, run):
    """Whatever the server does to it."""
    def loop():
        while True:
            with contextlib.suppress(OSError):
                run()

    in_background(loop, target.size(4))


def receive_all(connection):
    with contextlib.suppress(OSError):
        while connection.recv(1 << 16):
            pass


def hold(target, connect, beginning):
    """Open connections, send each its beginning and no more, and open those again that the server ends."""
    def opened():
        time.sleep(0.002)  # as if they came from several machines
        connection = connect()
        with contextlib.suppress(OSError):
            connection.sendall(beginning)
        return connection

    def run():
        while True:
            for index, connection in enumerate(connections):
                receive_all(connection)
                connection.close()
                target.count("ended by the server")
                connections[index] = opened()

    connections = [opened() for _ in range(target.size(200))]
    in_background(run)


@attack("connections")
def half_open(target):
    hold(target, target.connect, b"")


@attack("connections")
def prefix_that_never_comes(target):
    hold(target, target.connect, b"\0")


@attack("connections")
def payload_that_never_comes(target):
    hold(target, target.connect, LARGEST[:10])


@attack("bytes")
def slow_loris(target):
    """A frame on each connection, a byte a second."""
    def run():
        while True:
            for connection, frame in list(connections.items()):
                try:
                    connection.sendall(bytes([next(frame)]))
                    target.count("bytes")
                except OSError:
                    target.count("ended by the server")
                    del connections[connection]
                    connections[target.connect()] = iter(LARGEST)
            time.sleep(1)

    connections = {target.connect(): iter(LARGEST) for _ in range(target.size(200))}
    in_background(run)


@attack("resets", 100)
def reset_inside_a_frame(target):
    """A whole frame, a part of the next, and a RST."""
    def run():
        connection = target.connect()
        connection.sendall(PING + PING[:random.randint(1, 5)])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        target.count("resets")

    again_and_again(target, run)


@attack("frames", 1_000_000)
def zero_length_frames(target):
    """A million at least, over a few connections that read their replies."""
    frames = bytes(2 * 8192)

    def run():
        connection = target.connect()
        connection.setblocking(False)
        while True:
            select.select([connection], [connection], [])
            with contextlib.suppress(*NOT_YET):
                target.count("frames", connection.send(frames) // 2)
            with contextlib.suppress(*NOT_YET):
                connection.recv(1 << 16)

    in_background(run, target.size(4))


@attack("frames")
def never_reads(target):
    """Ask as much as the server takes, up to 32 MiB on each connection."""
    frame = struct.pack(">H", len(target.hungry)) + target.hungry if target.hungry else LARGEST
    count = len(LARGEST) // len(frame)
    frames = count * frame

    def run():
        connection = target.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(OSError):
            for _ in range(512):
                connection.sendall(frames)
                target.count("frames", count)
            target.count("taken whole")
        target.kept.append(connection)

    target.finish = lambda: [thread.join(WATCHDOG) for thread in threads]
    threads = in_background(run, target.size(8))


@attack("answered")
def crowd(target):
    """Connections that ask once each, and stay."""
    for _ in range(target.size(5_000)):
        target.kept.append(target.connect())
        target.kept[-1].sendall(PING)
    for connection in target.kept:
        if connection.recv(1):
            target.count("answered")


@attack("connections")
def flood(target):
    """Connections that stay, be they accepted or not."""
    target.kept = [target.connect_plainly() for _ in range(target.size(500))]


@attack("pieces", 100)
def garbage(target):
    """And stay until the server has had enough of it: those that left would not be at once, but queue up there."""
    def run():
        with target.connect() as connection:
            with contextlib.suppress(OSError):
                for _ in range(random.randint(1, 20)):
                    connection.sendall(random.randbytes(random.randint(1, 20_000)))
                    target.count("pieces")
                connection.shutdown(socket.SHUT_WR)
            receive_all(connection)

    again_and_again(target, run)


def client_hello():
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


@attack("connections")
def half_a_handshake(target):
    """To a server without TLS this is garbage."""
    hold(target, target.connect_plainly, client_hello())


@attack("connections", 100)
def no_handshake(target):
    """Bytes that are no TLS."""
    def run():
        with target.connect_plainly() as connection:
            connection.sendall(random.randbytes(1000))
            connection.shutdown(socket.SHUT_WR)
            receive_all(connection)

    again_and_again(target, run)


@attack("attacks", 1)
def nothing(target):
    """What hostile.test.py has to find out."""


@attack("connections", 100)
def churn(target):
    """Connect and close."""
    again_and_again(target, lambda: target.connect_plainly().close())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attack", choices=ATTACKS, metavar="ATTACK", help=", ".join(ATTACKS))
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--connections", type=int, default=0, help="how many, where that is a matter of choice")
    parser.add_argument("--hungry", type=bytes.fromhex, help="a request whose reply is large, if not one as large")
    parser.add_argument("--watchdog", type=float, default=WATCHDOG, help="how long to wait for what an attack is to do")
    parser.add_argument("--gives-way", action="store_true", help="run when nothing else wants to")
    arguments = parser.parse_args()

    allow_descriptors()
    if arguments.gives_way:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    target = Target(arguments)
    ATTACKS[arguments.attack](target)
    what, least = least_of(arguments.attack, target.did)
    target.wait_for(what, 1)
    print("ready", flush=True)
    sys.stdin.read()
    target.wait_for(what, least)
    target.finish()
    print(json.dumps(target.did), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
