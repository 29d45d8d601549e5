#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Kills kv_server with SIGKILL under load, at random moments, and looks whether every acknowledged write is there.

    kill_test.py build/release/examples/4_sqlite --rounds 100

A round starts the server on the database that the rounds before have left, loads it with kv_client, kills it after a random
number of acknowledged writes, starts it again and has kv_client verify what was acknowledged, and that no write was done in
part. In the end the database is damaged on purpose, and the verification has to notice.
"""

import argparse
import os
import random
import sqlite3
import subprocess
import tempfile
import time

import kv


def wait_for_writes(journal, size, client):
    """Until the journal has that many bytes."""
    while not os.path.exists(journal) or os.path.getsize(journal) < size:
        if client.poll() is not None:
            raise kv.Failure(f'kv_client ended with {client.returncode} before the server was killed')
        time.sleep(0.0005)


class Rounds:
    def __init__(self, arguments, directory):
        self.server = os.path.join(arguments.programs, 'kv_server')
        self.client = os.path.join(arguments.programs, 'kv_client')
        self.options = ['--threads', str(arguments.threads)]
        self.connections = str(arguments.connections)
        self.most = arguments.most
        self.database = os.path.join(directory, 'kill_test.db')
        self.journal = os.path.join(directory, 'acknowledged.txt')
        self.random = random.Random(arguments.seed)

    def serve(self):
        return kv.Server(self.server, self.database, *self.options)

    def kill_under_load(self):
        if os.path.exists(self.journal):
            os.remove(self.journal)
        with self.serve() as server:
            client = subprocess.Popen([self.client, '--port', str(server.port), '--connections', self.connections,
                                       '--seconds', '600', '--journal', self.journal],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_for_writes(self.journal, 20 * self.random.randrange(1, self.most), client)
                time.sleep(self.random.uniform(0, 0.005))
                server.kill()
                if client.wait(60) != 1:
                    raise kv.Failure('kv_client did not notice that the server was killed')
            finally:
                client.kill()
                client.wait()

    def verify(self):
        """What kv_client says, and whether it is content."""
        with self.serve() as server:
            done = subprocess.run([self.client, '--port', str(server.port), '--verify', self.journal],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout.strip(), done.returncode == 0

    def damage(self, statement, *parameters):
        with sqlite3.connect(self.database) as connection:
            changed = connection.execute(statement, parameters).rowcount
        connection.close()
        if changed != 1:
            raise kv.Failure(f'the damage was done to {changed} rows')

    def expect_notice(self, what):
        said, content = self.verify()
        if content or what not in said:
            raise kv.Failure(f'the verification does not notice what is {what}: {said}')


def check(rounds):
    """That the verification can fail."""
    with open(rounds.journal, encoding='ascii') as journal:
        name = journal.readline().strip()
    keys = [(name + half).encode() for half in ('/a', '/b')]
    rounds.damage('UPDATE entry SET value = substr(value, 2) WHERE key = ?', keys[0])
    rounds.expect_notice('half written')
    rounds.damage('DELETE FROM entry WHERE key = ?', keys[0])
    rounds.expect_notice('half written')
    rounds.damage('DELETE FROM entry WHERE key = ?', keys[1])
    rounds.expect_notice('lost')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('programs', help='the directory of kv_server and kv_client')
    parser.add_argument('--rounds', type=int, default=100)
    parser.add_argument('--directory', help='where to put the database; on a disk, not in memory')
    parser.add_argument('--connections', type=int, default=64)
    parser.add_argument('--threads', type=int, default=2, help="the server's I/O threads")
    parser.add_argument('--most', type=int, default=10_000, help='writes, about, before a server is killed')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    print(f'seed {arguments.seed}', flush=True)

    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        rounds = Rounds(arguments, directory)
        for number in range(1, arguments.rounds + 1):
            rounds.kill_under_load()
            said, content = rounds.verify()
            print(f'round {number}: {said}', flush=True)
            if not content:
                raise kv.Failure(f'round {number} of seed {arguments.seed}: {said}')
        check(rounds)
        print(f'{arguments.rounds} rounds passed, and the verification notices what is lost or half written')


if __name__ == '__main__':
    kv.run(main)
