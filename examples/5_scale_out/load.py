# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""What a client has to do so that a server's restart costs it nothing, and the proof that it did not.

A server that stops answers what it has executed, and ends the stream. Requests without an answer were not executed: a
client sends them again, in the same order, on a new connection.
"""

import asyncio
import collections
import random

FRUITLESS = 20


class Failure(Exception):
    """Its text is the line that says what is wrong."""


async def read_frame(reader):
    """A payload, or None at the end of the stream."""
    prefix = await reader.read(1)
    if not prefix:
        return None
    try:
        prefix += await reader.readexactly(1)
        return await reader.readexactly(int.from_bytes(prefix, "big"))
    except asyncio.IncompleteReadError:
        raise ConnectionError("a reply was cut short") from None


def frame(payload):
    return len(payload).to_bytes(2, "big") + payload


class Client:
    """Asks numbered requests, `depth` at once; connects anew after `per_connection` of them, unless that is None.

    A careless client takes a connection that broke for one that ended.
    """

    def __init__(self, name, port, careless, depth, per_connection=None):
        self.name = name
        self.port = port
        self.careless = careless
        self.depth = depth
        self.per_connection = per_connection
        self.outstanding = collections.deque()
        self.asked = self.answered = self.moved = self.connections = 0
        self.processes = set()

    async def run(self, stop):
        fruitless = 0
        while self.outstanding or not stop.is_set():
            before = self.answered
            try:
                await self.converse(stop)
            except OSError as error:
                if not self.careless:
                    raise Failure(f"{self.name}, request {self.answered + 1}: {error}") from None
            self.moved += len(self.outstanding)
            fruitless = 0 if self.answered > before else fruitless + 1
            if fruitless == FRUITLESS:
                raise Failure(f"{self.name}: {FRUITLESS} connections in a row ended without a reply")

    async def converse(self, stop):
        """Ask on one connection, until it has been enough, or the server ends it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.connections += 1
        enough = self.answered + self.per_connection if self.per_connection else None
        try:
            requests = list(self.outstanding)
            while True:
                while len(self.outstanding) < self.depth and not stop.is_set() and self.asked != enough:
                    requests.append(self.next_request())
                if not self.outstanding:
                    return
                writer.write(b"".join(map(frame, requests)))
                requests.clear()
                await writer.drain()
                reply = await read_frame(reader)
                if reply is None:
                    return
                self.check(reply)
        finally:
            writer.close()

    def next_request(self):
        self.asked += 1
        self.outstanding.append(b"%s %d %s" % (self.name.encode(), self.asked, bytes(random.randrange(200))))
        return self.outstanding[-1]

    def check(self, reply):
        request, _, process = reply.rpartition(b" by ")
        if request != self.outstanding.popleft():
            raise Failure(f"{self.name}: the reply to request {self.answered + 1} is wrong")
        self.answered += 1
        self.processes.add(int(process))


def check_ledger(lines, clients):
    """Look whether each request was executed once, and those of a client in their order, and say so."""
    executed = dict.fromkeys((client.name for client in clients), 0)
    for line in lines:
        name, number = line.split()
        if int(number) != executed[name] + 1:
            raise Failure(f"{name}: request {number} was executed after request {executed[name]}")
        executed[name] += 1
    for client in clients:
        counts = client.asked, executed[client.name], client.answered
        if len(set(counts)) != 1:
            raise Failure("{}: {} asked, {} executed, {} answered".format(client.name, *counts))
    return "each was executed once, in order, and answered"


def count_twice(lines):
    """How many requests were executed more than once."""
    return sum(count > 1 for count in collections.Counter(lines).values())
