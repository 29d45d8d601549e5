#!/usr/bin/python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Twisted's IntNStringReceiver against an echo, with many connections at once.

Each sends without waiting for replies, which must come back equal and in order. One connection in five is aborted while
replies are on their way to it; the others must not notice.
"""

import argparse
import random
import sys

from twisted.internet import defer, endpoints, protocol, task
from twisted.protocols import basic

WATCHDOG = 30
RECEIVERS = {1: basic.Int8StringReceiver, 2: basic.Int16StringReceiver, 4: basic.Int32StringReceiver}


class Exchange(protocol.Protocol):
    """Mixed into a receiver: sends all payloads at once; `done` fires when the connection has ended as it should."""

    def __init__(self, seed, options):
        numbers = random.Random(seed)
        middle = [numbers.randint(0, min(1000, options.greatest)) for _ in range(options.frames)]
        self.payloads = [numbers.randbytes(size) for size in (0, 1, options.greatest, *middle, 0)]
        self.aborts = seed % 5 == 4
        self.expected = len(self.payloads) // (2 if self.aborts else 1)
        self.received = 0
        self.done = defer.Deferred()

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)
        for payload in self.payloads:
            self.sendString(payload)

    def stringReceived(self, string):
        if self.transport.disconnecting or self.received == self.expected:
            return
        if string != self.payloads[self.received]:
            self.fail(f"reply {self.received + 1} is not what was sent")
        self.received += 1
        if self.received == self.expected:
            self.transport.abortConnection() if self.aborts else self.transport.loseConnection()

    def connectionLost(self, reason):
        if self.received != self.expected:
            self.fail(f"{self.received} of {self.expected} replies, then: {reason.getErrorMessage()}")
        elif not self.done.called:
            self.done.callback(None)

    def fail(self, text):
        if not self.done.called:
            self.done.errback(RuntimeError(text))
        self.transport.abortConnection()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--prefix", type=int, choices=RECEIVERS, default=2, help="bytes of a length (%(default)s)")
    parser.add_argument("--greatest", type=int, default=65_535, help="the greatest size (%(default)s)")
    parser.add_argument("--connections", type=int, default=50, help="at once (%(default)s)")
    parser.add_argument("--frames", type=int, default=100, help="a connection, of random sizes (%(default)s)")
    return parser.parse_args()


@defer.inlineCallbacks
def exchange(reactor, options):
    receiver = type("Receiver", (Exchange, RECEIVERS[options.prefix]), {"MAX_LENGTH": options.greatest})
    endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", options.port)
    exchanges = [receiver(seed, options) for seed in range(options.connections)]
    yield defer.gatherResults([endpoints.connectProtocol(endpoint, each) for each in exchanges], consumeErrors=True)
    yield defer.gatherResults([each.done for each in exchanges], consumeErrors=True)


@defer.inlineCallbacks
def main(reactor, options):
    try:
        yield exchange(reactor, options).addTimeout(WATCHDOG, reactor)
    except defer.FirstError as error:
        # What the timeout cancels has no message.
        sys.exit("twisted: " + (error.subFailure.getErrorMessage() or f"replies are missing after {WATCHDOG} s"))


if __name__ == "__main__":
    task.react(main, [parse()])
