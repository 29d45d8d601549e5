# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import struct
import subprocess
import unittest

from harness import WATCHDOG, Server, program

ECHO = program("2_servers/echo_server")
FORMATS = {1: ">B", 2: ">H", 4: ">I", 8: ">Q"}


def serve(*options):
    return Server([ECHO, "--port", "0", "--linger-timeout", "0.1", *options])


class Echo(unittest.TestCase):
    def test_frames_of_each_prefix_come_back_in_order(self):
        for size, form in FORMATS.items():
            with self.subTest(size), serve("--prefix", str(size)) as server, server.connect() as client:
                payloads = [bytes([i % 256]) * (i % 200) for i in range(1000)]
                frames = b"".join(struct.pack(form, len(payload)) + payload for payload in payloads)
                client.socket.sendall(frames)
                self.assertEqual(client.read(len(frames)), frames)
                self.assertEqual(server.stop(), 0)
                self.assertEqual(server.stderr(), "")

    def test_the_smallest_and_the_greatest_frame_come_back(self):
        with serve() as server, server.connect() as client:
            for size in (0, 1, 65_535):
                self.assertEqual(client.ask(bytes(size)), bytes(size))

    def test_a_frame_beyond_the_limit_ends_its_connection_when_those_before_have_been_answered(self):
        with serve("--limit", "10") as server, server.connect() as client, server.connect() as neighbour:
            client.send_all([bytes(10), bytes(9), bytes(11), bytes(8)])
            self.assertEqual([client.receive() for _ in range(3)], [bytes(10), bytes(9), None])
            self.assertEqual(neighbour.ask(bytes(10)), bytes(10))
            self.assertEqual(server.stop(), 0)
            self.assertIn("the frame is too large", server.stderr())

    def test_empty_frames_by_the_hundred_thousand_come_back(self):
        count = 100_000
        with serve() as server, server.connect() as client:
            for _ in range(10):
                client.socket.sendall(bytes(2 * count // 10))
                self.assertEqual(client.read(2 * count // 10), bytes(2 * count // 10))

    def test_a_peer_that_closes_its_side_gets_its_replies(self):
        with serve() as server, server.connect() as client:
            client.send_all([b"one", b"two"])
            client.finish()
            self.assertEqual([client.receive() for _ in range(3)], [b"one", b"two", None])

    def test_a_wrong_prefix_is_one_line(self):
        done = subprocess.run([ECHO, "--prefix", "3"], capture_output=True, text=True, timeout=WATCHDOG)
        self.assertEqual((done.returncode, done.stderr),
                         (2, "echo_server: --prefix does not take '3'; try --help\n"))


if __name__ == "__main__":
    unittest.main()
