#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Twisted's Int16StringReceiver, which has these frames."""

import sys

import common

try:
    from twisted.internet import protocol, reactor
    from twisted.protocols.basic import Int16StringReceiver
except ImportError:
    sys.exit('there is no Twisted (Debian: python3-twisted)')


class Answering(Int16StringReceiver):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def stringReceived(self, request):
        self.sendString(self.factory.app(request))


def main():
    arguments = common.parser(__doc__).parse_args()
    factory = protocol.Factory.forProtocol(Answering)
    factory.noisy = False
    factory.app = common.load(arguments)
    port = reactor.listenTCP(arguments.port, factory, backlog=common.BACKLOG, interface=arguments.host)
    common.announce(port.getHost().host, port.getHost().port)
    reactor.run()


if __name__ == '__main__':
    main()
