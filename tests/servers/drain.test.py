# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import contextlib
import itertools
import os
import signal
import tempfile
import unittest

from harness import Server, program

ECHO = program("2_servers/echo_server")
FIGURE = program("2_servers/figure_1_echo")
BUSY = "stop: connections that are still busy are dropped\n"


def serve(*options, server=ECHO):
    return Server([server, "--port", "0", "--log", "--health-port", "0", *options])


def draining(status, _):
    return status == 404


def drain_inside_a_request(test, server, client):
    """Have the client send the beginning of a request, and the server begin to drain when it has that."""
    client.socket.sendall(b"\0\5he")
    with server.connect() as idle:
        test.assertEqual(idle.ask(b"found"), b"found")
        server.signal()
        test.assertIsNone(idle.receive())


class Drain(unittest.TestCase):
    def assert_exits(self, server, *ends):
        self.assertEqual(server.wait(), 0)
        self.assertEqual(server.ends(), sorted(ends))

    def test_idle_connections_are_half_closed_and_the_listener_too(self):
        for path in (ECHO, FIGURE):
            with self.subTest(path), serve(server=path) as server:
                with server.connect() as used, server.connect() as fresh:
                    self.assertEqual(used.ask(b"one"), b"one")
                    server.signal()
                    self.assertEqual((used.receive(), fresh.receive()), (None, None))
                    with self.assertRaises(ConnectionRefusedError):
                        server.connect()
                self.assert_exits(server, "drained", "drained")

    def test_what_comes_after_the_half_close_is_neither_served_nor_answered_with_a_reset(self):
        with serve() as server:
            with server.connect() as client:
                self.assertEqual(client.ask(b"one"), b"one")
                server.signal()
                self.assertIsNone(client.receive())
                client.send_all([b"too late"] * 1000)
                client.finish()
                self.assertEqual(client.socket.recv(1), b"")
            self.assertEqual(server.wait(), 0)
            self.assertEqual([line["requests"] for line in server.log()], ["1"])

    def test_a_request_that_has_begun_may_end(self):
        for path, piece in itertools.product((ECHO, FIGURE), (b"\0", b"\0\5", b"\0\5he")):
            with self.subTest(path, piece=piece), serve(server=path) as server, server.connect() as idle:
                with server.connect() as client:
                    self.assertEqual(client.ask(b"one"), b"one")
                    client.socket.sendall(piece)
                    self.assertEqual(idle.ask(b"found"), b"found")
                    server.signal()
                    self.assertIsNone(idle.receive())
                    client.socket.sendall(b"\0\5hello"[len(piece):])
                    self.assertEqual((client.receive(), client.receive()), (b"hello", None))
                idle.socket.close()
                self.assert_exits(server, "drained", "drained")

    def test_all_that_had_been_received_is_answered(self):
        count = 4000
        with contextlib.ExitStack() as stack:
            fifo = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "call")
            for end in (".started", ".go"):
                os.mkfifo(fifo + end)
            server = stack.enter_context(Server.serving("3_python/python_server", "apps:obey", "--log"))
            idle, client = stack.enter_context(server.connect()), stack.enter_context(server.connect())
            self.assertEqual(idle.ask(b"here"), b"here")
            client.send(b"wait " + fifo.encode())
            with open(fifo + ".started"):
                pass
            client.send_all([b"%d" % i for i in range(count)])
            server.signal()
            self.assertIsNone(idle.receive())
            with open(fifo + ".go", "w"):
                pass
            client.receive()
            self.assertEqual([client.receive() for _ in range(count)], [b"%d" % i for i in range(count)])
            self.assertIsNone(client.receive())
            idle.socket.close()
            client.socket.close()
            self.assert_exits(server, "drained", "drained")

    def test_one_that_never_stops_asking_is_drained_too(self):
        with serve("--drain-timeout", "60") as server, server.connect() as client:
            client.send_all([b"x"] * 1000)
            server.signal()
            client.socket.setblocking(False)
            answered = 0
            with contextlib.suppress(ConnectionError):
                while True:
                    with contextlib.suppress(BlockingIOError):
                        client.socket.send(b"\0\1x" * 1000)
                    with contextlib.suppress(BlockingIOError):
                        received = len(client.socket.recv(65_536))
                        answered += received
                        if not received:
                            break
            client.socket.close()
            self.assertGreaterEqual(answered, 3000)
            self.assertEqual(server.wait(), 0)

    def test_the_rest_is_dropped_at_the_deadline(self):
        with serve("--drain-timeout", "0.2") as server, server.connect() as client:
            client.socket.sendall(b"\0\5he")
            with server.connect() as other:
                self.assertEqual(other.ask(b"found"), b"found")
            server.signal()
            self.assert_exits(server, "closed by the peer", "dropped")
            self.assertIsNone(client.receive())
            self.assertIn(BUSY, server.stderr())

    def test_without_a_deadline_the_rest_is_waited_for(self):
        with serve("--drain-timeout", "0") as server, server.connect() as client:
            drain_inside_a_request(self, server, client)
            client.socket.sendall(b"llo")
            self.assertEqual((client.receive(), client.receive()), (b"hello", None))
            client.socket.close()
            self.assert_exits(server, "drained", "drained")

    def test_the_rest_is_dropped_at_a_second_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number), serve("--drain-timeout", "600") as server, server.connect() as client:
                drain_inside_a_request(self, server, client)
                server.signal(number)
                self.assertEqual(server.wait(), 0)
                self.assertIn(BUSY, server.stderr())

    def test_a_peer_that_does_not_close_is_not_waited_for(self):
        with serve("--linger-timeout", "0.2") as server, server.connect() as client:
            self.assertEqual(client.ask(b"one"), b"one")
            server.signal()
            self.assert_exits(server, "drained")
            self.assertNotIn(BUSY, server.stderr())

    def test_what_waits_in_the_backlog_is_answered(self):
        with serve() as server:
            server.health()
            server.signal(signal.SIGSTOP)
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(server.connect()) for _ in range(20)]
                for client in clients:
                    client.send(b"waiting")
                server.signal(signal.SIGTERM)
                server.signal(signal.SIGCONT)
                self.assertEqual([client.receive() for client in clients], [b"waiting"] * 20)
                self.assertEqual([client.receive() for client in clients], [None] * 20)
            self.assert_exits(server, *["drained"] * 20)


class LameDuck(unittest.TestCase):
    def test_the_health_endpoint_says_that_it_is_about_to_go_while_it_serves_on(self):
        with serve("--lame-duck", "600") as server, server.connect() as old:
            self.assertEqual(server.health()[0], 200)
            self.assertEqual(server.health()[1]["state"], "serving")
            server.signal()
            _, statistics = server.await_health(draining)
            self.assertEqual(statistics["state"], "draining")
            with server.connect() as new:
                self.assertEqual((new.ask(b"new"), old.ask(b"old")), (b"new", b"old"))
            server.signal()
            self.assertEqual(server.wait(), 0)

    def test_it_drains_when_the_time_has_passed(self):
        with serve("--lame-duck", "0.3") as server:
            with server.connect() as client:
                server.signal()
                server.await_health(draining)
                self.assertEqual(client.ask(b"served"), b"served")
                self.assertIsNone(client.receive())
            self.assertEqual(server.wait(), 0)
            self.assertEqual(server.ends(), ["drained"])

    def test_while_it_drains_the_health_endpoint_answers(self):
        with serve("--drain-timeout", "600") as server, server.connect() as client:
            drain_inside_a_request(self, server, client)
            self.assertEqual(server.health()[0], 404)
            client.socket.sendall(b"llo")
            self.assertEqual((client.receive(), client.receive()), (b"hello", None))
            client.socket.close()
            self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    unittest.main()
