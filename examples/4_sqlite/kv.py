# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""kv_server as a child process, and its protocol, for the scripts beside this file."""

import socket
import struct
import subprocess
import sys


class Failure(Exception):
    """What makes a script end with one line."""


class Server:
    """A kv_server on a free port, killed at the end of the with block if it still runs."""

    def __init__(self, program, database, *options, **keywords):
        self.process = subprocess.Popen([program, '--database', database, '--port', '0', *options],
                                        stdout=subprocess.PIPE, text=True, **keywords)
        line = self.process.stdout.readline()
        if not line.startswith('listening on '):
            raise Failure(f'{program} does not listen: it ended with {self.process.wait()}')
        self.port = int(line.rsplit(':', 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """The exit status after SIGTERM."""
        self.process.terminate()
        return self.process.wait(60)


def field(content):
    return struct.pack('>H', len(content)) + content


def put(*pairs):
    """The frame of a request."""
    return field(b'P' + b''.join(field(key) + field(value) for key, value in pairs))


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile('rb')
        self.port = self.socket.getsockname()[1]

    def send(self, frame):
        self.socket.sendall(frame)

    def receive(self):
        size = self.stream.read(2)
        if len(size) < 2:
            raise Failure('the server closed the connection')
        return self.stream.read(*struct.unpack('>H', size))


def run(main):
    """Call main(), and turn a Failure into one line and exit status 1."""
    try:
        main()
    except Failure as failure:
        print(f'{sys.argv[0].rsplit("/", 1)[-1]}: {failure}', file=sys.stderr)
        sys.exit(1)
