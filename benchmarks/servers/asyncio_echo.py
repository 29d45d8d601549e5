#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""An echo server as Python users write it for speed: an asyncio Protocol, on asyncio's loop or on uvloop's."""

import argparse
import asyncio


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.rest = b''

    def data_received(self, data):
        data = self.rest + data
        whole = 0
        while len(data) - whole >= 2:
            end = whole + 2 + int.from_bytes(data[whole:whole + 2], 'big')
            if end > len(data):
                break
            whole = end
        self.rest = data[whole:]
        self.transport.write(data[:whole])

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def serve(host, port):
    server = await asyncio.get_running_loop().create_server(Echo, host, port, backlog=4096)
    print('listening on {}:{}'.format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--host', default='127.0.0.1', help='the address to listen on (%(default)s)')
    parser.add_argument('--port', type=int, default=0, help='the port to listen on; 0, the default, picks a free one')
    parser.add_argument('--uvloop', action='store_true', help="run on uvloop (Debian: python3-uvloop)")
    arguments = parser.parse_args()
    if arguments.uvloop:
        import uvloop
        uvloop.install()
    asyncio.run(serve(arguments.host, arguments.port))


if __name__ == '__main__':
    main()
