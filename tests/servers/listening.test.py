# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

from harness import WATCHDOG, Server, await_text, connect, has_ipv6, parse_address, program

ECHO = program("2_servers/echo_server")


def serve(*options):
    return Server([ECHO, *options])


def failure_of(*options):
    done = subprocess.run([ECHO, *options], capture_output=True, text=True, timeout=WATCHDOG)
    return done.returncode, done.stderr


class Addresses(unittest.TestCase):
    @unittest.skipUnless(has_ipv6(), "IPv6 is off")
    def test_ipv6(self):
        with serve("--host", "::1", "--port", "0", "--log") as server:
            with server.connect() as client:
                self.assertEqual(client.ask(b"six"), b"six")
                self.assertIsInstance(client.socket.getsockname(), tuple)
            self.assertEqual(server.stop(), 0)
            self.assertTrue(server.log()[0]["peer"].startswith("[::1]:"))

    @unittest.skipUnless(has_ipv6(), "IPv6 is off")
    def test_any_address_takes_ipv4_too(self):
        with serve("--host", "::", "--port", "0") as server:
            for host in ("::1", "127.0.0.1"):
                server.address = host, server.address[1]
                with server.connect() as client:
                    self.assertEqual(client.ask(host.encode()), host.encode())

    def test_every_address_of_a_name_on_one_port(self):
        hosts = {info[4][0] for info in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
        with serve("--host", "localhost", "--port", "0") as server:
            for host in hosts:
                server.address = host, server.address[1]
                with server.connect() as client:
                    self.assertEqual(client.ask(b"here"), b"here")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.output.count("listening on "), len(hosts) - 1)

    def test_a_name_that_does_not_exist_is_one_line(self):
        status, errors = failure_of("--host", "256.0.0.1.")
        self.assertEqual((status, errors.count("\n")), (1, 1))
        self.assertIn("256.0.0.1.", errors)

    def test_a_port_in_use_is_one_line(self):
        with serve("--port", "0") as server:
            port = server.address[1]
            self.assertEqual(failure_of("--port", str(port)),
                             (1, f"echo_server: 127.0.0.1:{port}: Address already in use\n"))


class UnixSockets(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "socket")

    def test_it_serves_and_removes_the_socket(self):
        with serve("--unix", self.path, "--log") as server:
            self.assertEqual(server.address, self.path)
            with server.connect() as client:
                self.assertEqual(client.ask(bytes(65_535)), bytes(65_535))
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.log()[0]["peer"], "unix:")
            self.assertFalse(os.path.exists(self.path))

    def test_one_that_a_server_left_behind_is_taken_over(self):
        with serve("--unix", self.path) as killed:
            killed.process.kill()
        self.assertTrue(os.path.exists(self.path))
        with serve("--unix", self.path) as server, server.connect() as client:
            self.assertEqual(client.ask(b"again"), b"again")

    def test_one_that_is_in_use_is_not_taken(self):
        with serve("--unix", self.path) as server:
            self.assertEqual(failure_of("--unix", self.path),
                             (1, f"echo_server: unix:{self.path}: Address already in use\n"))
            with server.connect() as client:
                self.assertEqual(client.ask(b"mine"), b"mine")

    def test_a_path_that_is_too_long_is_one_line(self):
        status, errors = failure_of("--unix", "/" + "x" * 200)
        self.assertEqual((status, errors.count("\n")), (1, 1))
        self.assertIn("too long", errors)


def may_trace():
    """LeakSanitizer does not work in a process that is traced."""
    command = ["strace", "-o", os.devnull, "true"]
    return (shutil.which("strace") and "address" not in os.environ.get("SANITIZERS", "")
            and subprocess.run(command, capture_output=True, check=False).returncode == 0)


@unittest.skipUnless(may_trace(), "without strace")
class FailuresOfAccept(unittest.TestCase):
    """Made by strace, which has a call of accept() fail without doing it."""

    @contextlib.contextmanager
    def serve(self, error, call):
        with tempfile.NamedTemporaryFile("r") as calls:
            inject = f"inject=accept,accept4:error={error}:when={call}"
            server = Server(["strace", "-D", "-f", "-o", calls.name, "-e", inject, ECHO, "--port", "0"])
            self.called = lambda what: await_text(lambda: os.pread(calls.fileno(), 1 << 16, 0).decode(), what)
            with server:
                yield server

    def test_a_connection_that_was_given_up_is_passed_over(self):
        for error in "ECONNABORTED", "EPROTO":
            with self.subTest(error=error), self.serve(error, call=1) as server:
                self.called("INJECTED")
                with server.connect() as client:
                    self.assertEqual(client.ask(b"next"), b"next")
                self.assertEqual((server.stop(), server.stderr()), (0, ""))

    def test_another_is_said_and_it_goes_on(self):
        with self.serve("ENOBUFS", call=1) as server, server.connect() as client:
            self.assertEqual(client.ask(b"patient"), b"patient")
            self.assertEqual((server.stop(), server.stderr()), (0, "accept: No buffer space available\n"))

    def test_one_in_the_backlog_does_not_hold_a_drain_up(self):
        for error in "ECONNABORTED", "EPROTO":
            with self.subTest(error=error), self.serve(error, call=2) as server:
                self.called("EAGAIN")
                self.assertEqual(server.stop(), 0)
                self.called("INJECTED")


class ReusePort(unittest.TestCase):
    def test_two_processes_share_a_port_and_one_takes_all_when_the_other_has_gone(self):
        with contextlib.ExitStack() as stack:
            options = ("--reuse-port", "--health-port", "0")
            one = stack.enter_context(serve("--port", "0", *options))
            other = stack.enter_context(serve("--port", str(one.address[1]), *options))
            accepted = [0, 0]
            while 0 in accepted:
                with one.connect() as client:
                    self.assertEqual(client.ask(b"either"), b"either")
                accepted = [server.health()[1]["accepted"] for server in (one, other)]
            self.assertEqual(one.stop(), 0)
            for _ in range(20):
                with other.connect() as client:
                    self.assertEqual(client.ask(b"the other"), b"the other")
            self.assertEqual(other.health()[1]["accepted"], accepted[1] + 20)

    def test_without_the_option_it_does_not(self):
        with serve("--port", "0", "--reuse-port") as server:
            status, errors = failure_of("--port", str(server.address[1]))
            self.assertEqual((status, errors.count("\n")), (1, 1))
            self.assertIn("Address already in use", errors)


class HealthEndpoint(unittest.TestCase):
    def ask(self, server, request):
        server.health()
        with connect(parse_address(server.health_url.removeprefix("http://").rstrip("/"))) as client:
            client.sendall(request)
            with contextlib.suppress(ConnectionResetError):
                return b"".join(iter(lambda: client.recv(65_536), b""))
            return b""

    def test_any_request_is_answered_and_a_head_without_a_body(self):
        with serve("--port", "0", "--health-port", "0") as server:
            for method in (b"GET", b"OPTIONS", b"HEAD"):
                head, _, body = self.ask(server, method + b" / HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
                self.assertEqual(body == b"", method == b"HEAD")

    def test_what_never_ends_is_closed(self):
        with serve("--port", "0", "--health-port", "0") as server:
            self.assertEqual(self.ask(server, b"x" * 9000), b"")
            self.assertEqual(self.ask(server, b"GET / HTTP/1.0\r\n"), b"")

    def test_a_port_in_use_is_one_line(self):
        with serve("--port", "0") as server:
            status, errors = failure_of("--port", "0", "--health-port", str(server.address[1]))
            self.assertEqual((status, errors.count("\n")), (1, 1))


if __name__ == "__main__":
    unittest.main()
