# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""What benchmark.cpp does, with Python's aiosqlite: tasks that share a connection, each of which inserts, and commits.

A commit takes along what other tasks have inserted, so these are batches too.
"""

import argparse
import asyncio
import os
import time

import aiosqlite


async def call(connection, caller, operations):
    for _ in range(operations):
        await connection.execute('INSERT INTO t (caller, value) VALUES (?, ?)', (caller, 'x' * 100))
        await connection.commit()


async def main():
    parser = argparse.ArgumentParser(description='Prints inserts per second.')
    parser.add_argument('--database', default='benchmark.db')
    parser.add_argument('--callers', type=int, default=64)
    parser.add_argument('--operations', type=int, default=20_000)
    arguments = parser.parse_args()
    for suffix in ('', '-wal', '-shm'):
        if os.path.exists(arguments.database + suffix):
            os.remove(arguments.database + suffix)

    each = arguments.operations // arguments.callers
    start = time.perf_counter()
    async with aiosqlite.connect(arguments.database) as connection:
        await connection.execute('PRAGMA journal_mode = wal')
        await connection.execute('PRAGMA synchronous = full')
        await connection.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, caller INTEGER, value TEXT)')
        await connection.commit()
        await asyncio.gather(*(call(connection, caller, each) for caller in range(arguments.callers)))
    print(each * arguments.callers / (time.perf_counter() - start))


asyncio.run(main())
