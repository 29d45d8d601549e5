# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""What the servers in Python have in common: a command line, the callable, frames."""

import argparse
import importlib
import inspect
import socket
import sys

BACKLOG = 4096


def parser(description):
    result = argparse.ArgumentParser(description=description)
    result.add_argument('--app', required=True, metavar='MODULE:CALLABLE', help='what answers: bytes in, bytes out')
    result.add_argument('--app-dir', default='.', metavar='DIRECTORY', help='where MODULE is (%(default)s)')
    result.add_argument('--host', default='127.0.0.1', help='the address to listen on (%(default)s)')
    result.add_argument('--port', type=int, default=0, help='the port to listen on; 0, the default, picks a free one')
    return result


def load(arguments, awaits=False):
    """The callable. A server that cannot await says so."""
    sys.path.insert(0, arguments.app_dir)
    module, _, name = arguments.app.partition(':')
    try:
        app = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        sys.exit(f'cannot load {arguments.app}: {error}')
    if inspect.iscoroutinefunction(app) and not awaits:
        sys.exit("this server does not run asyncio's coroutines")
    return app


def announce(host, port):
    print(f'listening on {host}:{port}', flush=True)


def pack(reply):
    return len(reply).to_bytes(2, 'big') + reply


def take_frames(data):
    """The whole frames at the beginning, and what is left."""
    frames = []
    start, size = 0, len(data)
    while size - start >= 2:
        end = start + 2 + (data[start] << 8 | data[start + 1])
        if end > size:
            break
        frames.append(data[start + 2:end])
        start = end
    return frames, data[start:]


def answer_all(app, data):
    """The replies to the whole frames at the beginning, as frames, and what is left."""
    replies = []
    start, size = 0, len(data)
    while size - start >= 2:
        end = start + 2 + (data[start] << 8 | data[start + 1])
        if end > size:
            break
        reply = app(data[start + 2:end])
        replies.append(len(reply).to_bytes(2, 'big'))
        replies.append(reply)
        start = end
    return b''.join(replies), data[start:]


def serve_socket(connection, app):
    """Blocks until the peer has closed: all frames of a read are answered by one write."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b''
    try:
        while True:
            data = connection.recv(1 << 18)
            if not data:
                return
            replies, rest = answer_all(app, rest + data)
            connection.sendall(replies)
    except ConnectionError:
        pass
