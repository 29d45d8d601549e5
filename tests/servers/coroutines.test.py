# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import contextlib
import os
import signal
import socket
import struct
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

    def test_a_request_starts_beside_those_of_its_connection_that_await(self):
        for options in ([], ["--home", "io"], ["--threads", "2", "--policy", "held"]):
            with self.subTest(options), Server.serving(PYTHON_SERVER, "apps:meet", *options) as server:
                with server.connect() as client, server.connect() as witness:
                    for number in range(3):
                        client.send(b"wait %d" % number)
                        self.assert_said(witness, b"when started %d" % number)
                    client.send(b"set 2")
                    client.send(b"set 1")
                    client.send(b"set 0")
                    replies = [client.receive() for _ in range(6)]
                    self.assertEqual(replies, [b"wait 0", b"wait 1", b"wait 2", b"set 2", b"set 1", b"set 0"])
                self.assertEqual(server.stop(), 0)
                self.assertEqual(server.stderr(), "")

    def test_no_more_await_than_are_allowed_and_are_read_on_top(self):
        options = ["--in-flight", "2"]
        with Server.serving(PYTHON_SERVER, "apps:meet", *options) as server, server.connect() as client:
            requests = [b"wait %d" % number for number in range(20)]
            client.send_all(requests)
            with server.connect() as other:
                for number in range(20):
                    self.assert_said(other, b"when started %d" % number)
                    self.assert_said(other, b"set %d" % number)
                self.assertEqual([client.receive() for _ in requests], requests)
                self.assertIn(other.ask(b"most"), [b"2", b"3", b"4"])

    def test_an_error_behind_one_that_awaits_comes_behind_its_reply(self):
        with Server.serving(PYTHON_SERVER, "apps:meet") as server, server.connect() as client:
            with server.connect() as other:
                client.send(b"wait here")
                self.assert_said(other, b"when started here")
                client.send_all([b"raise this", b"wait behind"])
                self.assert_said(other, b"when started behind")
                self.assert_said(other, b"set here")
                self.assertEqual(client.receive(), b"wait here")
                self.assertIsNone(client.receive())
                self.assert_said(other, b"when cancelled behind")
            self.assertEqual(server.stop(), 0)
            self.assertIn("ValueError: this", server.stderr())

    def test_a_peer_that_sends_no_more_has_the_replies_that_it_waits_for(self):
        with Server.serving(PYTHON_SERVER, "apps:meet", "--log") as server, server.connect() as client:
            with server.connect() as other:
                client.send(b"wait here")
                self.assert_said(other, b"when started here")
                client.send(b"wait here")
                client.finish()
                self.assert_said(other, b"set here")
                self.assertEqual([client.receive() for _ in range(3)], [b"wait here", b"wait here", None])
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.ends(), ["closed by the peer"] * 2)

    def test_what_a_peer_has_asked_for_is_cancelled_when_it_resets_the_connection(self):
        with Server.serving(PYTHON_SERVER, "apps:meet") as server, server.connect() as client:
            with server.connect() as witness:
                client.send(b"wait one")
                self.assert_said(witness, b"when started one")
                client.send(b"wait other")
                self.assert_said(witness, b"when started other")
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.socket.close()
                self.assert_said(witness, b"when cancelled one")
                self.assert_said(witness, b"when cancelled other")
            self.assertEqual(server.stop(), 0)
            self.assertIn("Connection reset by peer", server.stderr())

    def test_in_a_drain_one_that_awaits_is_answered_and_so_is_what_it_awaits(self):
        options = ["--drain-timeout", "0", "--health-port", "0"]
        with Server.serving(PYTHON_SERVER, "apps:meet", *options) as server, server.connect() as client:
            with server.connect() as witness:
                client.send(b"wait here")
                self.assert_said(witness, b"when started here")
            server.signal(signal.SIGTERM)
            server.await_health(lambda status, _: status == 404)
            client.send(b"set here")
            self.assertEqual([client.receive() for _ in range(3)], [b"wait here", b"set here", None])
            client.socket.close()
            self.assertEqual(server.wait(), 0)

    def test_what_awaits_is_dropped_at_a_second_signal(self):
        for options in ([], ["--home", "io"]):
            with self.subTest(options), Server.serving(PYTHON_SERVER, "apps:meet", "--health-port", "0",
                                                       "--drain-timeout", "0", *options) as server:
                with server.connect() as client, server.connect() as other:
                    for number in range(20):
                        client.send(b"wait %d" % number)
                    self.assert_said(other, b"when started 0")
                    other.send(b"wait other")
                    server.signal(signal.SIGTERM)
                    server.await_health(lambda status, _: status == 404)
                    server.signal(signal.SIGTERM)
                    self.assertIsNone(client.receive())
                    self.assertEqual(server.wait(), 0)

    def test_while_a_reply_is_owed_a_connection_may_be_silent_and_then_no_longer(self):
        options = ["--idle-timeout", "0.2", "--read-timeout", "0.2", "--log"]
        with Server.serving(PYTHON_SERVER, "apps:meet", *options) as server, server.connect() as client:
            client.send(b"wait here")
            client.socket.sendall(b"\0")
            self.let_idle_connections_end(server, 3)
            client.socket.sendall(b"\x08set here")
            self.assertEqual([client.receive() for _ in range(3)], [b"wait here", b"set here", None])
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.ends(), ["idle timeout"] * 4)

    def test_a_peer_that_does_not_read_is_closed_though_it_goes_on_asking(self):
        options = ["--write-timeout", "0.3", "--log"]
        with Server.serving(PYTHON_SERVER, "apps:obey_later", *options) as server, server.connect() as client:
            with self.assertRaises(ConnectionError):
                while True:
                    client.send(b"reply 65535")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.ends(), ["write timeout"])

    @unittest.skipIf(os.environ.get("SANITIZERS"), "what instrumentation takes of memory is not the server's")
    def test_what_a_peer_does_not_read_takes_a_bounded_memory(self):
        options = ["--write-timeout", "0.5", "--health-port", "0"]
        with Server.serving(PYTHON_SERVER, "apps:obey_later", *options) as server:
            with server.connect() as client:
                self.assertEqual(len(client.ask(b"reply 65535")), 65_535)
            grown = server.growth_by_unread_replies(32, [b"reply 65535"] * 1000)
            self.assertLess(grown, 32 * ((2 * 16 + 12) << 16) + (4 << 20))  # in Python, and in the buffer that is sent
            self.assertEqual(server.stop(), 0)

    def assert_said(self, client, request):
        self.assertEqual(client.ask(request), request)

    def let_idle_connections_end(self, server, count):
        for _ in range(count):
            with server.connect() as idle:
                self.assertIsNone(idle.receive())


if __name__ == "__main__":
    unittest.main()
