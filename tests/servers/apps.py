# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Callables for the servers under test."""

import asyncio
import collections
import os
import time


def echo(request):
    return request


def sleepy(request):
    time.sleep(0.01)
    return request


def obey(request):
    """Do what the request says."""
    verb, _, argument = request.partition(b" ")
    if verb == b"reply":
        return bytes(int(argument))
    if verb == b"raise":
        raise ValueError(argument.decode())
    if verb == b"exit":
        raise SystemExit(3)
    if verb == b"type":
        return int(argument)
    if verb == b"wait":
        # Opening a FIFO waits for its other end.
        with open(argument + b".started", "w"):
            pass
        with open(argument + b".go"):
            pass
    return request


def environment(request):
    return os.environ[request.decode()].encode()


async def patient(request):
    """Await a tenth of a second."""
    await asyncio.sleep(0.1)
    return request


def patient_or_obey(request):
    """Return a coroutine, or do at once what the request says."""
    return patient(request) if request.startswith(b"later") else obey(request)


async def obey_later(request):
    await asyncio.sleep(0)
    return obey(request)


class Meetings:
    """Requests that wait for one another, on the event loop: "wait NAME" for a "set NAME"."""

    def __init__(self):
        self.events = collections.defaultdict(asyncio.Event)
        self.waiting = self.most_waiting = 0

    async def __call__(self, request):
        verb, _, name = request.decode().partition(" ")
        if verb == "wait":
            await self.wait(name)
        elif verb == "set":
            self.events[name].set()
        elif verb == "when":  # "when started NAME", "when cancelled NAME"
            await self.events[name].wait()
        elif verb == "most":
            return b"%d" % self.most_waiting
        else:
            return obey(request)
        return request

    async def wait(self, name):
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        self.events["started " + name].set()
        try:
            await self.events[name].wait()
        except asyncio.CancelledError:
            self.events["cancelled " + name].set()
            raise
        finally:
            self.waiting -= 1


meet = Meetings().__call__
