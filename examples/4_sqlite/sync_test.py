#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Shows that kv_server acknowledges no write before it is on the disk.

    sync_test.py build/release/examples/4_sqlite

The server runs under fdatasync_shim, whose log has to have an fdatasync() of the database's log between the last write of
each batch and the batch's first acknowledgement. The same with --synchronous off, and with logs that have been tampered with,
has to be found wrong.
"""

import argparse
import collections
import os
import tempfile

import kv

WAL_FRAME_HEADER = 24


class Batch:
    def __init__(self):
        self.markers = []
        self.last_write = None
        self.first_sync = None
        self.first_acknowledgement = None


def analyse(log, sent, wal):
    """The batches of a log. `sent` has the markers that each port's connection has put, in order."""
    known = set().union(*sent.values())  # A page may have the remains of others.
    batches, batch_of = [], {}
    current, commits = Batch(), False
    acknowledged = collections.Counter()
    for number, (kind, subject, *details) in enumerate(log):
        if kind == 'write' and subject == wal:
            size, header, *markers = details
            new = [marker for marker in dict.fromkeys(markers) if marker in known and marker not in batch_of]
            current.markers += new
            batch_of.update((marker, current) for marker in new)
            if commits:
                current.last_write = number
                batches.append(current)
                current, commits = Batch(), False
            # A frame is its header, which has the size of the database if it is a transaction's last, and a page.
            elif int(size) == WAL_FRAME_HEADER:
                commits = int(header[8:16], 16) != 0
        elif kind == 'sync' and subject == wal:
            for batch in reversed(batches):
                if batch.first_sync is not None:
                    break
                batch.first_sync = number
        elif kind == 'send' and subject in sent:
            marker = sent[subject][acknowledged[subject]]
            acknowledged[subject] += 1
            if marker not in batch_of or batch_of[marker] is current:
                raise kv.Failure(f'{marker} was acknowledged before its transaction was written')
            batch = batch_of[marker]
            if batch.first_acknowledgement is None:
                batch.first_acknowledgement = number
    if acknowledged != collections.Counter({port: len(markers) for port, markers in sent.items()}):
        raise kv.Failure('the log does not have all acknowledgements')
    return [batch for batch in batches if batch.markers]


def check(log, sent, wal):
    batches = analyse(log, sent, wal)
    for batch in batches:
        if batch.first_sync is None or not batch.last_write < batch.first_sync < batch.first_acknowledgement:
            raise kv.Failure(f'{batch.markers[0]} was acknowledged before an fdatasync() of its batch')
    return batches


class Setting:
    def __init__(self, arguments):
        self.server = os.path.join(arguments.programs, 'kv_server')
        self.shim = os.path.join(os.path.realpath(arguments.programs), 'libfdatasync_shim.so')
        self.connections = arguments.connections
        self.rounds = arguments.rounds

    def record(self, directory, *options):
        """Log of a load, and what was put on which connection."""
        database, log = (os.path.join(os.path.realpath(directory), name) for name in ('sync_test.db', 'log.txt'))
        environment = {**os.environ, 'SHIM_LOG': log, 'SHIM_DATABASE': database, 'LD_PRELOAD': self.shim}
        with kv.Server(self.server, database, '--threads', '2', *options, env=environment) as server:
            sent = self.load(server.port)
            if server.stop() != 0:
                raise kv.Failure('the server did not stop cleanly')
        if not os.path.exists(log):
            raise kv.Failure(f'{self.shim} logs nothing')
        with open(log, encoding='ascii') as lines:
            return [line.split() for line in lines], sent, os.path.basename(database) + '-wal'

    def load(self, port):
        """In each round every connection puts something; then all wait for their replies."""
        connections = [kv.Connection(port) for _ in range(self.connections)]
        sent = {str(connection.port): [] for connection in connections}
        for number in range(self.rounds):
            for index, connection in enumerate(connections):
                marker = f'marker-{number * self.connections + index:08}'
                sent[str(connection.port)].append(marker)
                connection.send(kv.put((marker.encode(), b'x')))
            for connection in connections:
                if connection.receive() != b'+':
                    raise kv.Failure('a put was refused')
        return sent


def expect_failure(what, *arguments):
    try:
        check(*arguments)
    except kv.Failure as failure:
        print(f'{what}, as it should be noticed: {failure}', flush=True)
    else:
        raise kv.Failure(f'{what}: that is not noticed')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('programs', help='the directory of kv_server and libfdatasync_shim.so')
    parser.add_argument('--directory', help='where to put the database; on a disk, not in memory')
    parser.add_argument('--connections', type=int, default=32)
    parser.add_argument('--rounds', type=int, default=100)
    arguments = parser.parse_args()
    setting = Setting(arguments)

    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        log, sent, wal = setting.record(directory)
    batches = check(log, sent, wal)
    writes = sum(len(batch.markers) for batch in batches)
    largest = max(batches, key=lambda batch: len(batch.markers))
    print(f'{writes} writes in {len(batches)} batches, the largest of {len(largest.markers)}: '
          'an fdatasync() between the last write of each and its first acknowledgement', flush=True)
    if len(largest.markers) < 2:
        raise kv.Failure('no two writes shared a transaction')

    early = list(log)
    early.insert(largest.last_write + 1, early.pop(largest.first_acknowledgement))
    expect_failure('an acknowledgement that came early', early, sent, wal)
    without = [event for number, event in enumerate(log)
               if not (event == ['sync', wal] and largest.last_write < number < largest.first_acknowledgement)]
    expect_failure('an fdatasync() that is missing', without, sent, wal)
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        expect_failure('--synchronous off', *setting.record(directory, '--synchronous', 'off'))


if __name__ == '__main__':
    kv.run(main)
