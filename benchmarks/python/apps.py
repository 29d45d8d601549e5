# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""The callables that all contenders serve: bytes in, bytes out."""

import os
import sys

# As many as take 100 microseconds: run.py says how many those are here.
busy_loops = int(os.environ.get("ASYNC_RESOURCE_BUSY_LOOPS", 5_000))

served = 0


def echo(request):
    """Trivial: counts, and answers with the request."""
    global served
    served += 1
    return request


def busy(request):
    """Computes for 100 microseconds."""
    for _ in range(busy_loops):
        pass
    return echo(request)


async def waiting(request):
    """Awaits 5 milliseconds, as for a database."""
    import asyncio  # Not above: its memory is not to count where nothing awaits.
    await asyncio.sleep(0.005)
    return echo(request)


def version(_):
    """The Python that answers."""
    return sys.version.split()[0].encode()
