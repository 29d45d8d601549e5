# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""The callables that all contenders serve: bytes in, bytes out."""

import sys

served = 0


def echo(request):
    """Trivial: counts, and answers with the request."""
    global served
    served += 1
    return request


def busy(request):
    """Computes for about 100 microseconds, of which run.py says how many they are here."""
    for _ in range(5_000):
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
