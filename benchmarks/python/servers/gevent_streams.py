#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""gevent's StreamServer: a greenlet for each connection."""

import sys

import common

try:
    from gevent.server import StreamServer
except ImportError:
    sys.exit('there is no gevent (Debian: python3-gevent)')


def main():
    arguments = common.parser(__doc__).parse_args()
    app = common.load(arguments)
    server = StreamServer((arguments.host, arguments.port), lambda connection, _: common.serve_socket(connection, app),
                          backlog=common.BACKLOG)
    server.start()
    common.announce(server.server_host, server.server_port)
    server.serve_forever()


if __name__ == '__main__':
    main()
