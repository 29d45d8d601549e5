# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import concurrent.futures
import re
import unittest

from harness import Server

THREADS = 2
REQUESTS = 100  # one after the other; each is a call of apps:sleepy, which takes 10 ms


def talk(server):
    with server.connect() as client:
        for _ in range(REQUESTS):
            assert client.ask(b"hello") == b"hello"


class Timers(unittest.TestCase):
    """How often a timer of an I/O thread was late by more than 5 ms, half a call.

    Each I/O thread has one connection: one that calls on that thread makes a timer late for each request. One that does
    not is delayed by the scheduler of a busy machine only, hence a few times.
    """

    def lateness(self, path):
        """For each I/O thread, how many readings were late, and how many there are."""
        with Server.serving(path, "apps:sleepy", "--threads", str(THREADS), "--probe") as server:
            with concurrent.futures.ThreadPoolExecutor(THREADS) as clients:
                for talking in [clients.submit(talk, server) for _ in range(THREADS)]:
                    talking.result()
            self.assertEqual(server.stop(), 0)
        print(path, server.output, sep="\n")
        threads = re.findall(r"^I/O thread \d+: .* (\d+) of (\d+) by more than 5 ms$", server.output, re.MULTILINE)
        self.assertEqual(len(threads), THREADS)
        return [(int(late), int(readings)) for late, readings in threads]

    def test_a_sleeping_callable_delays_no_timer_of_python_server(self):
        for late, readings in self.lateness("3_python/python_server"):
            self.assertLess(late, REQUESTS / 4)
            self.assertLess(late, readings / 50)

    def test_a_sleeping_callable_delays_the_timers_of_figure_2(self):
        for late, _ in self.lateness("2_servers/figure_2_gil_on_io_thread"):
            self.assertGreater(late, REQUESTS / 2)

    def test_a_sleeping_callable_delays_the_timers_of_figure_3(self):
        for late, _ in self.lateness("2_servers/figure_3_async_initiate"):
            self.assertGreater(late, REQUESTS / 2)


if __name__ == "__main__":
    unittest.main()
