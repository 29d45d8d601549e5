# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import contextlib
import os
import subprocess
import tempfile
import unittest

from harness import WATCHDOG, Server, program

try:
    import sqlite3
except ImportError:
    sqlite3 = None

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

    def test_a_scan_ends_where_a_frame_does_whatever_the_limit(self):
        value = bytes(30_000)
        with self.serve("--limit", "100000") as server, server.connect() as client:
            for key in (b"a", b"b", b"c"):
                self.assertEqual(client.ask(request(b"P", key, value)), b"+")
            self.assertEqual(client.ask(request(b"S", b"")), request(b"+", b"a", value, b"b", value))
            self.assertEqual(client.ask(request(b"S", b"b")), request(b"+", b"c", value))
            self.assertEqual(client.ask(request(b"S", b"c")), b"+")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.stderr(), "")

    def test_the_largest_entry_that_can_be_put_can_be_got_and_scanned(self):
        value = bytes(65_535 - len(request(b"P", b"k", b"")))
        with self.serve() as server, server.connect() as client:
            self.assertEqual(client.ask(request(b"P", b"k", value)), b"+")
            self.assertEqual(client.ask(request(b"G", b"k")), request(b"+", value))
            self.assertEqual(client.ask(request(b"S", b"")), request(b"+", b"k", value))

    def test_an_entry_larger_than_a_reply_is_refused_and_is_not_taken_for_the_end(self):
        with self.serve() as server, server.connect() as client:
            for key, value in (b"a", b"small"), (b"b", bytes(1000)), (b"c", b"small"):
                self.assertEqual(client.ask(request(b"P", key, value)), b"+")
            self.assertEqual(server.stop(), 0)
        refusal = b"!the entry is larger than a reply"
        with self.serve("--limit", "1000") as server, server.connect() as client:
            self.assertEqual(client.ask(request(b"S", b"")), request(b"+", b"a", b"small"))
            self.assertEqual(client.ask(request(b"S", b"a")), refusal)
            self.assertEqual(client.ask(request(b"G", b"b")), refusal)
            self.assertEqual(client.ask(request(b"S", b"b")), request(b"+", b"c", b"small"))
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.stderr(), "")

    @unittest.skipUnless(sqlite3, "Python has no sqlite3")
    def test_an_entry_that_no_frame_holds_ends_a_scan_before_it(self):
        with self.serve() as server, server.connect() as client:
            self.assertEqual(client.ask(request(b"P", b"a", b"1")), b"+")
            with contextlib.closing(sqlite3.connect(self.database)) as elsewhere:
                elsewhere.execute("INSERT INTO entry VALUES (?, ?)", (b"b", bytes(65_536)))
                elsewhere.commit()
            self.assertEqual(client.ask(request(b"S", b"")), request(b"+", b"a", b"1"))
            for letter, key in (b"S", b"a"), (b"G", b"b"):
                self.assertEqual(client.ask(request(letter, key)), b"!the entry is larger than a reply")

    @unittest.skipIf(os.environ.get("SANITIZERS"), "what instrumentation takes of memory is not the server's")
    def test_large_replies_to_many_small_requests_that_nobody_reads_take_a_bounded_memory(self):
        with self.serve("--write-timeout", "0.5", "--health-port", "0") as server:
            with server.connect() as client:
                self.assertEqual(client.ask(request(b"P", b"k", bytes(65_000))), b"+")
                self.assertEqual(len(client.ask(request(b"G", b"k"))), 65_003)
            grown = server.growth_by_unread_replies(32, [request(b"G", b"k")] * 1000)
            self.assertLess(grown, 32 * (384 << 10) + (4 << 20))
            self.assertEqual(server.stop(), 0)

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
