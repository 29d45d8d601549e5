#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""An asyncio Protocol, on asyncio's loop or on uvloop's: all frames of a chunk are answered by one write."""

import asyncio
import collections
import inspect
import sys

import common


class Calling(asyncio.Protocol):
    """Answers with what the callable returns."""

    def __init__(self, app):
        self.app = app
        self.rest = b''

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        replies, self.rest = common.answer_all(self.app, self.rest + data)
        if replies:
            self.transport.write(replies)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


class Awaiting(Calling):
    """The same for a coroutine function: all requests at once, replies in order."""

    def __init__(self, app):
        super().__init__(app)
        self.loop = asyncio.get_running_loop()
        self.tasks = collections.deque()

    def data_received(self, data):
        requests, self.rest = common.take_frames(self.rest + data)
        for request in requests:
            task = self.loop.create_task(self.app(request))
            self.tasks.append(task)
            task.add_done_callback(self.reply)

    def reply(self, _):
        replies = []
        while self.tasks and self.tasks[0].done():
            replies.append(common.pack(self.tasks.popleft().result()))
        if replies:
            self.transport.write(b''.join(replies))


async def serve(app, arguments):
    protocol = Awaiting if inspect.iscoroutinefunction(app) else Calling
    server = await asyncio.get_running_loop().create_server(lambda: protocol(app), arguments.host, arguments.port,
                                                            backlog=common.BACKLOG)
    common.announce(*server.sockets[0].getsockname())
    await server.serve_forever()


def main():
    parser = common.parser(__doc__)
    parser.add_argument('--uvloop', action='store_true', help='run on uvloop (Debian: python3-uvloop)')
    arguments = parser.parse_args()
    if arguments.uvloop:
        try:
            import uvloop
        except ImportError:
            sys.exit('there is no uvloop (Debian: python3-uvloop)')
        uvloop.install()
    asyncio.run(serve(common.load(arguments, awaits=True), arguments))


if __name__ == '__main__':
    main()
