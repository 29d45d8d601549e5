# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import unittest

from harness import Server

ECHO = "2_servers/figure_1_echo"
CALLING = (
    "2_servers/figure_2_gil_on_io_thread",
    "2_servers/figure_3_async_initiate",
    "2_servers/figure_4_double_dispatch",
)


class Figures(unittest.TestCase):
    def each(self, paths, app, *options):
        for path in paths:
            with self.subTest(path), Server.serving(path, app, *options) as server:
                yield server

    def test_frames_come_back(self):
        for server in self.each((ECHO, *CALLING), "apps:echo", "--threads", "2"):
            with server.connect() as one, server.connect() as other:
                for size in (0, 1, 65_535):
                    self.assertEqual(one.ask(bytes(size)), bytes(size))
                    self.assertEqual(other.ask(bytes(size)), bytes(size))
            self.assertEqual(server.stop(), 0)

    def test_a_request_beyond_the_limit_ends_its_connection_only(self):
        for server in self.each((ECHO, *CALLING), "apps:echo", "--limit", "10"):
            with server.connect() as client, server.connect() as neighbour:
                self.assertIsNone(client.ask(bytes(11)))
                self.assertEqual(neighbour.ask(bytes(10)), bytes(10))
            self.assertEqual(server.stop(), 0)
            self.assertIn("the request is too large", server.stderr())

    def test_a_reply_too_large_ends_its_connection_only(self):
        for server in self.each(CALLING, "apps:obey"):
            with server.connect() as client, server.connect() as neighbour:
                self.assertIsNone(client.ask(b"reply 65536"))
                self.assertEqual(neighbour.ask(b"after"), b"after")
            self.assertEqual(server.stop(), 0)
            self.assertIn("the reply is too large", server.stderr())

    def test_a_callable_that_fails_ends_its_connection_only(self):
        for server in self.each(CALLING, "apps:obey"):
            with server.connect() as neighbour:
                for request in (b"raise this", b"exit", b"type 7"):
                    with server.connect() as client:
                        self.assertIsNone(client.ask(request))
                    self.assertEqual(neighbour.ask(b"after"), b"after")
            self.assertEqual(server.stop(), 0)
            self.assertIn("ValueError: this", server.stderr())


if __name__ == "__main__":
    unittest.main()
