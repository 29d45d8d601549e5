# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import concurrent.futures
import re
import unittest

from harness import Server

CONNECTIONS = 16
REQUESTS = 20
CALL = 10.0  # milliseconds, of apps:sleepy
SOME = 5.0


def talk(server):
    with server.connect() as client:
        for _ in range(REQUESTS):
            assert client.ask(b"hello") == b"hello"


class Timers(unittest.TestCase):
    """Of python_server a percentile, because the scheduler of a busy machine may delay any single timer."""

    def lateness(self, path):
        with Server.serving(path, "apps:sleepy", "--threads", "2", "--probe") as server:
            with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as clients:
                for talking in [clients.submit(talk, server) for _ in range(CONNECTIONS)]:
                    talking.result()
            self.assertEqual(server.stop(), 0)
            print(path, server.output.strip())
            return {name: float(value) for name, value in re.findall(r"(\S+) ([0-9.e+-]+) ms", server.output)}

    def test_a_sleeping_callable_delays_no_timer_of_python_server(self):
        self.assertLess(self.lateness("3_python/python_server")["90%"], SOME)

    def test_a_sleeping_callable_delays_the_timers_of_figure_2(self):
        self.assertGreater(self.lateness("2_servers/figure_2_gil_on_io_thread")["worst"], CALL - 1)

    def test_a_sleeping_callable_delays_the_timers_of_figure_3(self):
        self.assertGreater(self.lateness("2_servers/figure_3_async_initiate")["worst"], CALL - 1)


if __name__ == "__main__":
    unittest.main()
