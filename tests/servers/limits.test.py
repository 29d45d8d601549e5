# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import contextlib
import os
import resource
import unittest

from harness import Server, program

ECHO = program("2_servers/echo_server")
PYTHON_SERVER = "3_python/python_server"


def serve(*options, **keywords):
    return Server([ECHO, "--port", "0", "--health-port", "0", *options], **keywords)


def few_descriptors_unless_asked_for():
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 4096))


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


class Limits(unittest.TestCase):
    @unittest.skipIf("undefined" in os.environ.get("SANITIZERS", ""), "UBSan needs descriptors of its own")
    def test_out_of_descriptors_it_says_so_once_and_goes_on_when_one_is_free(self):
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(Server([ECHO, "--port", "0"], preexec_fn=few_descriptors))
            crowd = [stack.enter_context(server.connect()) for _ in range(60)]
            self.assertEqual(crowd[0].ask(b"first"), b"first")
            server.await_stderr("accept: Too many open files\n")
            for client in crowd[:-1]:
                client.socket.close()
            self.assertEqual(crowd[-1].ask(b"last"), b"last")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.stderr(), "accept: Too many open files\n")

    def test_descriptors_are_asked_for_where_the_limit_is_too_low(self):
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(Server([ECHO, "--port", "0"], preexec_fn=few_descriptors_unless_asked_for))
            crowd = [stack.enter_context(server.connect()) for _ in range(100)]
            self.assertEqual([client.ask(b"in") for client in crowd], [b"in"] * 100)
            self.assertEqual((server.stop(), server.stderr()), (0, ""))

    def test_a_connection_too_many_is_closed_at_once_and_counted(self):
        with serve("--max-connections", "2") as server, server.connect() as one, server.connect() as other:
            self.assertEqual((one.ask(b"1"), other.ask(b"2")), (b"1", b"2"))
            for _ in range(3):
                with server.connect() as refused:
                    self.assertIsNone(refused.receive())
            status, statistics = server.health()
            self.assertEqual((status, statistics["open"], statistics["accepted"], statistics["refused"]), (200, 2, 2, 3))
            one.socket.close()
            server.await_health(lambda _, statistics: statistics["open"] == 1)
            with server.connect() as admitted:
                self.assertEqual(admitted.ask(b"3"), b"3")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.stderr(), "accept: 2 connections are open, more are refused\n")

    def test_the_log_tells_of_each_connection_too_many(self):
        with serve("--max-connections", "1", "--log") as server, server.connect() as one:
            self.assertEqual(one.ask(b"1"), b"1")
            for _ in range(3):
                with server.connect() as refused:
                    self.assertIsNone(refused.receive())
            self.assertEqual(server.stop(), 0)
            self.assertEqual([line["event"] for line in server.log()].count("refused"), 3)

    def failing(self, server, times):
        for _ in range(times):
            with server.connect() as client:
                client.send(bytes(11))
                self.assertIsNone(client.receive())
        self.assertEqual(server.stop(), 0)

    def test_of_connections_that_fail_ten_a_minute_are_said(self):
        with serve("--limit", "10") as server:
            self.failing(server, 30)
            lines = server.stderr().splitlines()
            self.assertEqual(len(lines), 10)
            self.assertTrue(all(line.endswith(": the frame is too large") for line in lines), lines)

    def test_the_log_tells_of_each_connection_that_fails(self):
        with serve("--limit", "10", "--log") as server:
            self.failing(server, 30)
            self.assertEqual(server.ends(), ["the frame is too large"] * 30)


class InFlight(unittest.TestCase):
    def trips(self, requests, *options):
        """How many operations of the resource a batch of requests takes."""
        with Server.serving(PYTHON_SERVER, "apps:echo", "--health-port", "0", *options) as server:
            with server.connect() as client:
                before = server.health()[1]["resource_submitted"]
                client.send_all(requests)
                self.assertEqual([client.receive() for _ in requests], requests)
                return server.health()[1]["resource_submitted"] - before

    def test_requests_that_arrive_together_make_one_trip(self):
        self.assertEqual(self.trips([b"%d" % i for i in range(16)]), 1)

    def test_no_more_than_allowed_make_a_trip(self):
        self.assertEqual(self.trips([b"%d" % i for i in range(10)], "--in-flight", "2"), 5)


if __name__ == "__main__":
    unittest.main()
