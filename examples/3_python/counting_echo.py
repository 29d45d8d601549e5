# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Callables to serve: bytes in, bytes out. They share a counter without a lock, since only one of them runs at a time.

    python_server --app-dir examples/3_python --app counting_echo:echo
"""

import atexit
import time

served = 0


def echo(request):
    """Answer with the request."""
    global served
    served += 1
    return request


def numbered(request):
    """Answer with the request and the number of this answer in front of it."""
    return b"%d: %s" % (served + 1, echo(request))


def slow(request):
    """Answer with the request after ten milliseconds."""
    time.sleep(0.01)
    return echo(request)


@atexit.register
def report():
    print(f"counting_echo: {served} requests", flush=True)
