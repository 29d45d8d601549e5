#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""asyncio's streams, as its documentation uses them: a coroutine for each connection, a request at a time."""

import asyncio
import inspect

import common


async def serve(app, arguments):
    awaits = inspect.iscoroutinefunction(app)

    async def session(reader, writer):
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), 'big')
                reply = app(await reader.readexactly(size))
                writer.write(common.pack(await reply if awaits else reply))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(session, arguments.host, arguments.port, backlog=common.BACKLOG)
    common.announce(*server.sockets[0].getsockname())
    await server.serve_forever()


def main():
    arguments = common.parser(__doc__).parse_args()
    asyncio.run(serve(common.load(arguments, awaits=True), arguments))


if __name__ == '__main__':
    main()
