# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import select
import time
import unittest

from harness import WATCHDOG, Server, program

ECHO = program("2_servers/echo_server")
FIGURE = program("2_servers/figure_1_echo")


def serve(*options, server=ECHO):
    return Server([server, "--port", "0", "--log", "--linger-timeout", "0.1", *options])


def drip(client, piece):
    """Send the piece again and again until the server closes; the seconds that it took."""
    begin = time.monotonic()
    try:
        while not select.select([client.socket], [], [], 0.02)[0]:
            client.socket.sendall(piece)
    except ConnectionError:
        pass
    return time.monotonic() - begin


class TimeOuts(unittest.TestCase):
    def assert_ends(self, server, *expected):
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.ends(), sorted(expected))

    def test_a_connection_that_says_nothing_is_closed(self):
        for path in (ECHO, FIGURE):
            with self.subTest(path), serve("--idle-timeout", "0.2", server=path) as server:
                with server.connect() as client:
                    begin = time.monotonic()
                    self.assertIsNone(client.receive())
                    self.assertGreaterEqual(time.monotonic() - begin, 0.2)
                self.assert_ends(server, "idle timeout")

    def test_each_request_renews_the_idle_time(self):
        with serve("--idle-timeout", "0.2") as server, server.connect() as client:
            begin = time.monotonic()
            while time.monotonic() - begin < 1:
                self.assertEqual(client.ask(b"still here"), b"still here")
            self.assertIsNone(client.receive())
            self.assert_ends(server, "idle timeout")

    def test_a_byte_now_and_then_does_not_renew_the_time_for_a_request(self):
        for path in (ECHO, FIGURE):
            with self.subTest(path), serve("--read-timeout", "0.3", server=path) as server:
                with server.connect() as client:
                    client.socket.sendall(b"\xff\xff")
                    self.assertGreaterEqual(drip(client, b"x"), 0.3)
                    self.assertIsNone(client.receive())
                self.assert_ends(server, "read timeout")

    def test_half_a_prefix_is_the_beginning_of_a_request(self):
        with serve("--read-timeout", "0.2") as server, server.connect() as client:
            client.socket.sendall(b"\0")
            self.assertIsNone(client.receive())
            self.assert_ends(server, "read timeout")

    def test_the_time_for_a_request_begins_with_its_first_byte(self):
        with serve("--read-timeout", "0.4", "--idle-timeout", "0.2") as server, server.connect() as client:
            for _ in range(5):
                client.socket.sendall(b"\0\4")
                with server.connect() as silent:
                    self.assertIsNone(silent.receive())
                client.socket.sendall(b"late")
                self.assertEqual(client.receive(), b"late")
            client.socket.close()
            self.assert_ends(server, "closed by the peer", *["idle timeout"] * 5)

    def test_a_peer_that_does_not_read_its_replies_is_closed(self):
        for path in (ECHO, FIGURE):
            with self.subTest(path), serve("--write-timeout", "0.3", server=path) as server:
                with server.connect() as client:
                    client.socket.settimeout(WATCHDOG)
                    with self.assertRaises(ConnectionError):
                        while True:
                            client.send(bytes(65_535))
                self.assert_ends(server, "write timeout")

    def test_zero_is_never(self):
        with serve("--idle-timeout", "0", "--read-timeout", "0.1") as server, server.connect() as idle:
            for _ in range(5):
                with server.connect() as client:
                    client.socket.sendall(b"\0")
                    self.assertIsNone(client.receive())
            self.assertEqual(idle.ask(b"still here"), b"still here")
            idle.socket.close()
            self.assert_ends(server, "closed by the peer", *["read timeout"] * 5)

    def test_a_peer_that_does_not_close_is_not_waited_for(self):
        with serve("--limit", "10") as server, server.connect() as client:
            client.send(bytes(11))
            self.assertIsNone(client.receive())
            self.assertGreaterEqual(drip(client, b"x"), 0)
            self.assert_ends(server, "the frame is too large")


if __name__ == "__main__":
    unittest.main()
