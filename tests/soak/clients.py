# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""The clients of the soak, good and bad: each has one connection, and says how it ended."""

import asyncio
import random
import socket

from subjects import WATCHDOG

# How a connection may end; whether it had to is another question.
ENDED = (OSError, asyncio.IncompleteReadError)
DONE = object()


class Unexplained(Exception):
    """What no fault that was injected explains."""


def frame(payload):
    return len(payload).to_bytes(2, "big") + payload


class Client:
    speaks_tls = True

    def __init__(self, subject, tally):
        self.subject = subject
        self.tally = tally

    async def run(self):
        plain = await self.connect()
        self.port = plain.getsockname()[1]
        self.subject.proxy.forget(self.port)
        try:
            await self.open(plain)
            how = await asyncio.wait_for(self.act(), WATCHDOG)
        except ENDED as error:
            if not await self.subject.proxy.has_cut(self.port):
                who = f"{self.subject.name}: {type(self).__name__} on port {self.port}"
                raise Unexplained(f"{who}: {error!r}") from error
            how = "cut by the proxy"
        finally:
            self.close()
        self.tally[how] += 1

    async def connect(self):
        plain = socket.socket()
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self.subject.proxy.port))
        return plain

    async def open(self, plain):
        self.writer = None
        tls = self.subject.tls if self.speaks_tls else None
        self.reader, self.writer = await asyncio.open_connection(sock=plain, ssl=tls,
                                                                 server_hostname="localhost" if tls else None)

    def close(self):
        if self.writer:
            self.writer.transport.abort()

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0)  # which drain() leaves out, be the connection lost or not
        # While its reading is paused, TLS takes what is written to a connection that has been cut, and drops it.
        if self.writer.transport.is_closing() or self.subject.proxy.cut(self.port).is_set():
            raise ConnectionResetError

    async def receive(self):
        """A payload, or None at the end of the stream."""
        first = await self.reader.read(1)
        if not first:
            return None
        size = int.from_bytes(first + await self.reader.readexactly(1), "big")
        return await self.reader.readexactly(size)

    async def wait_for_the_end(self):
        """Of what the server has to end."""
        try:
            while await self.reader.read(65_536):
                pass
        except ConnectionError:
            pass
        return "ended by the server"


class Asks(Client):
    """Well-behaved: as many requests in flight as it likes, each with its reply, in order."""

    def __init__(self, subject, tally, count=None, in_flight=None):
        super().__init__(subject, tally)
        self.count = count or random.randint(1, 200)
        self.talk = subject.talk()
        self.expected = asyncio.Queue()
        self.in_flight = asyncio.Semaphore(in_flight or random.choice((1, 1, 4, 16, 64)))
        self.under_way = asyncio.Event()

    async def run(self):
        try:
            await super().run()
        finally:
            self.talk.end()

    async def act(self):
        asking = asyncio.create_task(self.ask())
        try:
            ended = await self.check()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        if ended:
            return "drained"
        if not self.subject.tls and random.random() < 0.5:
            self.writer.write_eof()
            if await self.reader.read():
                raise Unexplained(f"{self.subject.name}: more replies than requests")
        return "completed"

    async def ask(self):
        try:
            for _ in range(self.count):
                if self.subject.draining:
                    break
                await self.in_flight.acquire()
                request, is_right = self.talk.request()
                self.expected.put_nowait(is_right)
                await self.send(frame(request))
        finally:
            self.expected.put_nowait(DONE)

    async def check(self):
        """Returns whether the server has ended it."""
        while True:
            is_right = await self.expected.get()
            if is_right is DONE:
                return False
            reply = await self.receive()
            if reply is None:
                if self.subject.draining:
                    return True
                raise asyncio.IncompleteReadError(b"", 2)
            if not is_right(reply):
                raise Unexplained(f"{self.subject.name}: a wrong reply of {len(reply)} bytes: {reply[:40]!r}")
            self.tally["replies"] += 1
            self.in_flight.release()
            self.under_way.set()


class Leaves(Client):
    """In the middle of a frame, with a RST or without."""

    async def act(self):
        talk = self.subject.talk()
        data = frame(talk.request()[0])
        talk.end()
        await self.send(data + data[:random.randrange(len(data))])
        if random.random() < 0.5:
            self.writer.close()
        return "left"


class NeverReads(Client):
    async def act(self):
        try:
            self.writer.transport.pause_reading()
            while True:
                await self.send(frame(self.subject.talk.hungry))
        except ConnectionError:
            return "ended by the server"


class Dawdles(Client):
    """Begins a frame, and gets no further."""

    async def act(self):
        data = frame(random.randbytes(1000))
        await self.send(data[:random.randrange(1, len(data))])
        return await self.wait_for_the_end()


class SaysNothing(Client):
    async def act(self):
        return await self.wait_for_the_end()


class Babbles(Client):
    """Garbage; in place of a handshake, too."""

    speaks_tls = False

    async def act(self):
        try:
            for _ in range(random.randrange(10)):
                await self.send(random.randbytes(random.randrange(10_000)))
        except ConnectionError:
            return "ended by the server"
        return "left"


MIX = {Asks: 77, Leaves: 10, Babbles: 10, NeverReads: 1, Dawdles: 1, SaysNothing: 1}


def any_client(subject, tally):
    kind, = random.choices(list(MIX), MIX.values())
    return kind(subject, tally)
