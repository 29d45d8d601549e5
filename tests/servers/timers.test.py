# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import concurrent.futures
import re
import unittest

from harness import Server

THREADS = 2

# What else the machine does makes timers late, never punctual: the best run tells of the server.
ATTEMPTS = 5


def talk(server, requests):
    with server.connect() as client:
        for _ in range(requests):
            assert client.ask(b"hello") == b"hello"


class Timers(unittest.TestCase):
    """How often a timer of an I/O thread was late by more than 5 ms, half a call of apps:sleepy.

    A thread that makes such calls is late all the time: for every call if it has one connection, and if it has eight,
    once for the several calls that Asio makes in a row. One that does not is delayed by the scheduler of a busy machine
    only, hence a few times.
    """

    def lateness(self, path, connections, requests):
        """For each I/O thread, how many readings were late, and how many there are."""
        with Server.serving(path, "apps:sleepy", "--threads", str(THREADS), "--probe") as server:
            with concurrent.futures.ThreadPoolExecutor(connections) as clients:
                for talking in [clients.submit(talk, server, requests) for _ in range(connections)]:
                    talking.result()
            self.assertEqual(server.stop(), 0)
        print(path, server.output, sep="\n")
        threads = re.findall(r"^I/O thread \d+: .* (\d+) of (\d+) by more than 5 ms$", server.output, re.MULTILINE)
        self.assertEqual(len(threads), THREADS)
        return [(int(late), int(readings)) for late, readings in threads]

    def assert_delays_no_timer(self, path):
        for connections, requests in ((2, 100), (16, 20)):
            self.assertTrue(any(self.is_on_time(path, connections, requests) for _ in range(ATTEMPTS)))

    def is_on_time(self, path, connections, requests):
        return all(late < readings / 50 for late, readings in self.lateness(path, connections, requests))

    def test_a_sleeping_callable_delays_no_timer_of_figure_4(self):
        self.assert_delays_no_timer("2_servers/figure_4_double_dispatch")

    def test_a_sleeping_callable_delays_no_timer_of_python_server(self):
        self.assert_delays_no_timer("3_python/python_server")

    def assert_delays_timers(self, path):
        for connections, requests, expected in ((2, 100, 50), (16, 20, 10)):
            for late, _ in self.lateness(path, connections, requests):
                self.assertGreater(late, expected)

    def test_a_sleeping_callable_delays_the_timers_of_figure_2(self):
        self.assert_delays_timers("2_servers/figure_2_gil_on_io_thread")

    def test_a_sleeping_callable_delays_the_timers_of_figure_3(self):
        self.assert_delays_timers("2_servers/figure_3_async_initiate")


if __name__ == "__main__":
    unittest.main()
