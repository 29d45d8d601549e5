#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""An echo server that does everything wrong, for hostile.test.py to find out.

It keeps replies until they are read, keeps connections for ever, sleeps when a frame is not all there, and ends when it
is told to stop without having answered.
"""

import asyncio
import time


class Careless(asyncio.Protocol):
    everyone = []

    def connection_made(self, transport):
        self.everyone.append(transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data):
        self.received += data
        while len(self.received) >= 2:
            end = 2 + int.from_bytes(self.received[:2], "big")
            if len(self.received) < end:
                time.sleep(0.01)
                return
            self.transport.write(self.received[:end])
            self.received = self.received[end:]

    def eof_received(self):
        return True


async def serve():
    server = await asyncio.get_running_loop().create_server(Careless, "127.0.0.1", 0)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve())
