# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import contextlib
import time
import unittest

from harness import Server

PYTHON_SERVER = "3_python/python_server"

# One after the other, a hundred awaits of a tenth of a second would take ten.
WELL_BELOW = 5


class Coroutines(unittest.TestCase):
    def test_a_hundred_connections_await_at_once(self):
        with Server.serving(PYTHON_SERVER, "apps:patient") as server, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(100)]
            begin = time.monotonic()
            for number, client in enumerate(clients):
                client.send(b"%d" % number)
            for number, client in enumerate(clients):
                self.assertEqual(client.receive(), b"%d" % number)
            self.assertLess(time.monotonic() - begin, WELL_BELOW)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.stderr(), "")

    def test_requests_of_one_connection_await_at_once_and_are_answered_in_order(self):
        with Server.serving(PYTHON_SERVER, "apps:patient") as server, server.connect() as client:
            payloads = [b"%d" % number for number in range(100)]
            begin = time.monotonic()
            client.send_all(payloads)
            self.assertEqual([client.receive() for _ in payloads], payloads)
            self.assertLess(time.monotonic() - begin, WELL_BELOW)

    def test_an_error_does_not_take_the_replies_to_what_came_before(self):
        with Server.serving(PYTHON_SERVER, "apps:patient_or_obey") as server, server.connect() as client:
            client.send_all([b"at once", b"later", b"behind it", b"later still", b"raise this", b"never"])
            replies = [client.receive() for _ in range(5)]
            self.assertEqual(replies, [b"at once", b"later", b"behind it", b"later still", None])
            self.assertEqual(server.stop(), 0)
            self.assertIn("ValueError: this", server.stderr())

    def test_a_coroutine_that_raises_ends_its_connection_only(self):
        with Server.serving(PYTHON_SERVER, "apps:obey_later") as server, server.connect() as neighbour:
            with server.connect() as client:
                self.assertIsNone(client.ask(b"raise this"))
            self.assertEqual(neighbour.ask(b"after"), b"after")
            self.assertEqual(server.stop(), 0)
            self.assertIn("ValueError: this", server.stderr())


if __name__ == "__main__":
    unittest.main()
