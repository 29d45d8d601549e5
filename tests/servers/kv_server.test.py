# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import os
import subprocess
import tempfile
import unittest

from harness import WATCHDOG, Server, program

KV_SERVER = program("4_sqlite/kv_server")


def field(content):
    return len(content).to_bytes(2, "big") + content


def request(letter, *fields):
    return letter + b"".join(map(field, fields))


class KeyValues(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.database = os.path.join(directory.name, "kv.db")

    def serve(self, *options):
        return Server([KV_SERVER, "--database", self.database, "--port", "0", *options])

    def test_what_is_put_is_got_until_it_is_deleted(self):
        with self.serve() as server, server.connect() as client:
            self.assertEqual(client.ask(request(b"G", b"k")), b"-")
            for value in (b"one", b"", bytes(range(256))):
                self.assertEqual(client.ask(request(b"P", b"k", value)), b"+")
                self.assertEqual(client.ask(request(b"G", b"k")), request(b"+", value))
            self.assertEqual(client.ask(request(b"D", b"k")), b"+")
            self.assertEqual(client.ask(request(b"D", b"k")), b"-")
            self.assertEqual(client.ask(request(b"G", b"k")), b"-")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.stderr(), "")

    def test_a_scan_gives_what_is_behind_a_key_in_order_as_much_as_fits(self):
        with self.serve("--limit", "40") as server, server.connect() as client:
            for key in (b"b", b"c", b"a"):
                self.assertEqual(client.ask(request(b"P", key, key * 10)), b"+")
            self.assertEqual(client.ask(request(b"S", b"")), request(b"+", b"a", b"a" * 10, b"b", b"b" * 10))
            self.assertEqual(client.ask(request(b"S", b"b")), request(b"+", b"c", b"c" * 10))
            self.assertEqual(client.ask(request(b"S", b"c")), b"+")

    def test_a_put_that_is_refused_puts_nothing_and_the_connection_goes_on(self):
        with self.serve() as server, server.connect() as client:
            refused = {
                b"": b"!the request is cut short",
                b"X": b"!no such request",
                b"P": b"!the request is cut short",
                request(b"P", b"k"): b"!the request is cut short",
                request(b"P", b"k", b"1", b"", b"2"): b"!a key is empty",
                request(b"P", b"k", b"1") + b"\0\5x": b"!the request is cut short",
                request(b"G", b"k", b"1"): b"!the request has too many fields",
            }
            for wrong, reply in refused.items():
                self.assertEqual(client.ask(wrong), reply)
            self.assertEqual(client.ask(request(b"G", b"k")), b"-")
            self.assertEqual(server.stop(), 0)

    def test_replies_come_in_order_and_what_they_acknowledge_is_there_after_a_restart(self):
        count = 1000
        with self.serve("--threads", "2") as server:
            with server.connect() as client:
                for number in range(count):
                    client.send(request(b"P", b"k%d" % number, b"%d" % number))
                    client.send(request(b"G", b"k%d" % number))
                for number in range(count):
                    self.assertEqual(client.receive(), b"+")
                    self.assertEqual(client.receive(), request(b"+", b"%d" % number))
                client.send(request(b"P", b"last", b"1"))
                self.assertEqual(client.receive(), b"+")
            self.assertEqual(server.stop(), 0)
        with self.serve() as server, server.connect() as client:
            self.assertEqual(client.ask(request(b"G", b"last")), request(b"+", b"1"))

    def test_what_is_wrong_at_the_start_is_one_line(self):
        options = {
            ("--database", "/no/such/directory/kv.db"): (1, "/no/such/directory/kv.db: unable to open database file"),
            ("--synchronous", "perhaps"): (2, "--synchronous does not take 'perhaps'; try --help"),
            ("--batch", "0"): (2, "--batch does not take '0'; try --help"),
            ("--app", "dns:answer"): (2, "unknown option --app; try --help"),
        }
        for given, (status, line) in options.items():
            done = subprocess.run([KV_SERVER, *given], capture_output=True, text=True, timeout=WATCHDOG, check=False)
            self.assertEqual((done.returncode, done.stderr), (status, f"kv_server: {line}\n"))


if __name__ == "__main__":
    unittest.main()
