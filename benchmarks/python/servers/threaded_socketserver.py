#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""A threaded socketserver: a thread for each connection."""

import socketserver

import common


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = common.BACKLOG


def main():
    arguments = common.parser(__doc__).parse_args()
    app = common.load(arguments)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            common.serve_socket(self.request, app)

    with Server((arguments.host, arguments.port), Handler) as server:
        common.announce(*server.server_address)
        server.serve_forever()


if __name__ == '__main__':
    main()
