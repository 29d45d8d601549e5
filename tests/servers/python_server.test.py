# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import concurrent.futures
import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import HERE, WATCHDOG, Server, has_ipv6, program

PYTHON_SERVER = "3_python/python_server"


def exchange(server, seed, count):
    """Send frames of random sizes while reading the answers; the number of those that came back right."""
    sizes = random.Random(seed)
    payloads = [os.urandom(sizes.randint(0, 65_535)) for _ in range(count)]
    with server.connect() as client, concurrent.futures.ThreadPoolExecutor(1) as sender:
        sending = sender.submit(lambda: [client.send(payload) for payload in payloads])
        right = sum(client.receive() == payload for payload in payloads)
        sending.result()
    return right


class Frames(unittest.TestCase):
    @unittest.skipIf(os.environ.get("SANITIZERS"), "what instrumentation takes of memory is not the server's")
    def test_large_replies_to_many_small_requests_that_nobody_reads_take_a_bounded_memory(self):
        options = ("--write-timeout", "0.5", "--health-port", "0")
        with Server.serving(PYTHON_SERVER, "apps:obey", *options) as server:
            with server.connect() as client:
                self.assertEqual(len(client.ask(b"reply 65535")), 65_535)
            grown = server.growth_by_unread_replies(32, [b"reply 65535"] * 1000)
            self.assertLess(grown, 32 * (672 << 10) + (4 << 20))
            self.assertEqual(server.stop(), 0)

    def test_ten_thousand_frames_over_sixteen_connections_come_back(self):
        with Server.serving(PYTHON_SERVER, "apps:echo", "--threads", "2") as server:
            with concurrent.futures.ThreadPoolExecutor(16) as clients:
                right = list(clients.map(lambda seed: exchange(server, seed, 625), range(16)))
            self.assertEqual(right, [625] * 16)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.stderr(), "")

    def test_the_smallest_and_the_greatest_frame_come_back(self):
        with Server.serving(PYTHON_SERVER, "apps:echo") as server, server.connect() as client:
            for size in (0, 1, 65_535):
                self.assertEqual(client.ask(bytes(size)), bytes(size))

    def test_a_reply_too_large_is_an_error_on_both_sides_and_the_neighbour_notices_nothing(self):
        with Server.serving(PYTHON_SERVER, "apps:obey") as server:
            with server.connect() as client, server.connect() as neighbour:
                self.assertEqual(len(client.ask(b"reply 65535")), 65_535)
                self.assertEqual(neighbour.ask(b"before"), b"before")
                self.assertIsNone(client.ask(b"reply 65536"))
                self.assertEqual(neighbour.ask(b"after"), b"after")
            self.assertEqual(server.stop(), 0)
            self.assertIn("the frame is too large", server.stderr())

    def test_a_request_beyond_the_limit_is_an_error_on_both_sides_and_the_neighbour_notices_nothing(self):
        with Server.serving(PYTHON_SERVER, "apps:echo", "--limit", "1000") as server:
            with server.connect() as client, server.connect() as neighbour:
                self.assertEqual(client.ask(bytes(1000)), bytes(1000))
                self.assertIsNone(client.ask(bytes(1001)))
                self.assertEqual(neighbour.ask(b"after"), b"after")
            self.assertEqual(server.stop(), 0)
            self.assertIn("the frame is too large", server.stderr())

    def test_a_request_cut_short_is_reported_and_the_neighbour_notices_nothing(self):
        with Server.serving(PYTHON_SERVER, "apps:echo") as server, server.connect() as neighbour:
            with server.connect() as client:
                client.socket.sendall(b"\0\5hel")
                client.socket.shutdown(socket.SHUT_WR)
                self.assertIsNone(client.receive())
            self.assertEqual(neighbour.ask(b"after"), b"after")
            self.assertEqual(server.stop(), 0)
            self.assertIn("the stream ended inside a frame", server.stderr())


class Failures(unittest.TestCase):
    def test_a_callable_that_fails_ends_its_connection_only(self):
        cases = {
            b"raise one \xc3\xa9": "ValueError: one \u00e9",
            b"exit": "SystemExit",
            b"type 7": "TypeError",
        }
        with Server.serving(PYTHON_SERVER, "apps:obey") as server, server.connect() as neighbour:
            for request in cases:
                with server.connect() as client:
                    self.assertIsNone(client.ask(request))
                self.assertEqual(neighbour.ask(b"after"), b"after")
            self.assertEqual(server.stop(), 0)
            for message in cases.values():
                self.assertIn(message, server.stderr())

    @unittest.skipIf("undefined" in os.environ.get("SANITIZERS", ""), "UBSan needs descriptors of its own")
    def test_running_out_of_descriptors_does_not_end_it(self):
        def few_descriptors():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        with contextlib.ExitStack() as stack:
            server = stack.enter_context(Server.serving(PYTHON_SERVER, "apps:echo", preexec_fn=few_descriptors))
            crowd = [stack.enter_context(server.connect()) for _ in range(60)]
            self.assertEqual(crowd[0].ask(b"first"), b"first")
            for client in crowd[:-1]:
                client.socket.close()
            self.assertEqual(crowd[-1].ask(b"last"), b"last")
            crowd[-1].socket.close()
            self.assertEqual(server.stop(), 0)

    def test_what_cannot_be_loaded_is_said_before_it_listens(self):
        cases = {
            "nowhere:to_be_found": "nowhere",
            "apps:missing": "missing",
            "apps:os": "callable",
            "apps": "apps",
        }
        for target, message in cases.items():
            for home in ("thread", "io"):
                with self.subTest(target=target, home=home):
                    run = subprocess.run([program(PYTHON_SERVER), "--app-dir", HERE, "--app", target, "--port", "0",
                                          "--home", home], capture_output=True, text=True, timeout=WATCHDOG)
                    self.assertEqual(run.returncode, 1)
                    self.assertEqual(run.stdout, "")
                    self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
                    self.assertIn(message, run.stderr)

    def test_a_port_in_use_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            run = subprocess.run([program(PYTHON_SERVER), "--app-dir", HERE, "--app", "apps:echo", "--port", str(port)],
                                 capture_output=True, text=True, timeout=WATCHDOG)
        self.assertEqual(run.returncode, 1)
        self.assertIn("in use", run.stderr)


class Serving(unittest.TestCase):
    def test_python_may_run_anywhere_under_any_policy_that_it_has(self):
        cases = [("--home", "io"), ("--policy", "held"), ("--policy", "held", "--home", "io"), ("--request", "view"),
                 ("--request", "view", "--home", "io", "--threads", "2")]
        for options in cases:
            with self.subTest(options), Server.serving(PYTHON_SERVER, "apps:echo", *options) as server:
                with server.connect() as client:
                    for i in range(100):
                        client.send(str(i).encode())
                    self.assertEqual([client.receive() for _ in range(100)], [str(i).encode() for i in range(100)])
                self.assertEqual(server.stop(), 0)
                self.assertEqual(server.stderr(), "")

    def test_a_policy_that_python_lacks_is_said_and_interpreters_of_their_own_serve(self):
        for options in (("--policy", "own_gil"), ("--policy", "own_gil", "--interpreters", "2")):
            with self.subTest(options):
                try:
                    with Server.serving(PYTHON_SERVER, "apps:echo", *options) as server, server.connect() as client:
                        self.assertEqual(client.ask(b"served"), b"served")
                except RuntimeError as ended:
                    self.assertIn("gil_policy::own_gil needs CPython 3.12 or later", str(ended))


class Options(unittest.TestCase):
    def run_with(self, *options):
        return subprocess.run([program(PYTHON_SERVER), *options], capture_output=True, text=True, timeout=WATCHDOG)

    def test_help_describes_each_option(self):
        run = self.run_with("--help")
        self.assertEqual(run.returncode, 0)
        for option in ("--app", "--app-dir", "--host", "--port", "--threads", "--limit", "--probe", "--help"):
            self.assertIn(option + " ", run.stdout)

    def test_what_makes_no_sense_is_one_line_and_status_two(self):
        cases = [("--bogus",), ("--bogus=1",), ("-x",), ("--port",), ("--port", "65536"), ("--port", "-1"),
                 ("--port", "80a"), ("--threads", "0"), ("--limit", ""), ("file",)]
        for options in cases:
            with self.subTest(options):
                run = self.run_with(*options)
                self.assertEqual(run.returncode, 2)
                self.assertEqual(run.stdout, "")
                self.assertEqual(len(run.stderr.splitlines()), 1)
                self.assertIn(options[0], run.stderr)

    def test_options_that_do_not_go_together_are_one_line_and_status_two(self):
        cases = {
            ("--interpreters", "2"): "--interpreters goes with --policy own_gil",
            ("--interpreters", "2", "--policy", "own_gil", "--home", "io"): "--interpreters have threads of their own",
            ("--health-host", "127.0.0.1"): "--health-host goes with --health-port",
        }
        for options, message in cases.items():
            with self.subTest(options):
                run = self.run_with(*options)
                self.assertEqual((run.returncode, run.stdout, len(run.stderr.splitlines())), (2, "", 1))
                self.assertIn(message, run.stderr)

    def test_modules_are_found_by_pythonpath_too(self):
        environment = {**os.environ, "PYTHONPATH": HERE}
        with Server([program(PYTHON_SERVER), "--app", "apps:echo", "--port", "0"], env=environment) as server:
            with server.connect() as client:
                self.assertEqual(client.ask(b"found"), b"found")

    def test_modules_are_found_in_the_current_directory(self):
        with Server([program(PYTHON_SERVER), "--app", "apps:echo", "--port", "0"], cwd=HERE) as server:
            with server.connect() as client:
                self.assertEqual(client.ask(b"found"), b"found")

    @unittest.skipUnless(has_ipv6(), "IPv6 is off")
    def test_ipv6_serves(self):
        with Server.serving(PYTHON_SERVER, "apps:echo", "--host", "::1") as server:
            self.assertEqual(server.address[0], "::1")
            with server.connect() as client:
                self.assertEqual(client.ask(b"six"), b"six")
            self.assertEqual(server.stop(), 0)


class Stopping(unittest.TestCase):
    def stop_during_a_request(self, number):
        with tempfile.TemporaryDirectory() as folder:
            fifo = os.path.join(folder, "call")
            for end in (".started", ".go"):
                os.mkfifo(fifo + end)
            with Server.serving(PYTHON_SERVER, "apps:obey") as server:
                with server.connect() as client, server.connect() as queued, server.connect() as idle:
                    self.assertEqual(idle.ask(b"here"), b"here")
                    request = b"wait " + fifo.encode()
                    client.send(request)
                    with open(fifo + ".started"):
                        pass
                    queued.send(b"queued")
                    queued.socket.shutdown(socket.SHUT_WR)
                    server.signal(number)
                    self.assertIsNone(idle.receive())
                    with open(fifo + ".go", "w"):
                        pass
                    self.assertEqual(client.receive(), request)
                    self.assertIsNone(client.receive())
                    self.assertEqual(queued.receive(), b"queued")
                    self.assertIsNone(queued.receive())
                self.assertEqual(server.wait(), 0)
                self.assertEqual(server.stderr(), "")

    def test_sigterm_finishes_the_requests_under_way(self):
        self.stop_during_a_request(signal.SIGTERM)

    def test_sigint_finishes_the_requests_under_way(self):
        self.stop_during_a_request(signal.SIGINT)

    def test_a_second_signal_drops_a_client_that_does_not_read(self):
        with Server.serving(PYTHON_SERVER, "apps:obey") as server, server.connect() as idle:
            self.assertEqual(idle.ask(b"here"), b"here")
            with server.connect() as client:
                client.socket.setblocking(False)
                try:
                    while True:
                        client.socket.send(b"\0\13reply 65535")
                except BlockingIOError:
                    pass
                server.signal()
                self.assertIsNone(idle.receive())
                server.signal()
                self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    unittest.main()
