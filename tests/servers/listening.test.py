# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import contextlib
import ctypes
import os
import shutil
import socket
import struct
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

    def test_a_file_that_is_no_socket_is_left_alone(self):
        with open(self.path, "w", encoding="ascii") as file:
            file.write("precious")
        self.assertEqual(failure_of("--unix", self.path),
                         (1, f"echo_server: unix:{self.path}: Address already in use\n"))
        with open(self.path, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")

    def test_one_that_another_has_by_then_is_not_removed(self):
        with serve("--unix", self.path) as old, old.connect() as busy, old.connect() as idle:
            busy.socket.sendall(b"\0\5he")
            self.assertEqual(idle.ask(b"found"), b"found")
            old.signal()
            self.assertIsNone(idle.receive())
            with serve("--unix", self.path) as new:
                busy.socket.sendall(b"llo")
                self.assertEqual((busy.receive(), busy.receive()), (b"hello", None))
                busy.socket.close()
                idle.socket.close()
                self.assertEqual(old.wait(), 0)
                with new.connect() as client:
                    self.assertEqual(client.ask(b"new"), b"new")
                self.assertEqual(new.stop(), 0)
            self.assertFalse(os.path.exists(self.path))

    def connect_from(self, name):
        """A client whose socket has a name of its own."""
        result = socket.socket(socket.AF_UNIX)
        self.addCleanup(result.close)
        result.settimeout(WATCHDOG)
        # Python's own bind() keeps a byte for a zero, which Linux does without.
        address = struct.pack("=H108s", socket.AF_UNIX, name.encode())
        if ctypes.CDLL(None, use_errno=True).bind(result.fileno(), address, 2 + len(name)) != 0:
            raise OSError(ctypes.get_errno(), "bind")
        result.connect(self.path)
        return result

    def test_peers_that_have_the_longest_names_are_served_and_take_no_place_for_good(self):
        directory = os.path.dirname(self.path)
        with serve("--unix", self.path, "--max-connections", "3", "--log") as server:
            for i in range(8):
                name = os.path.join(directory, str(i)).ljust(108, "x")
                with self.connect_from(name) as client:
                    client.sendall(b"\0\1x")
                    self.assertEqual(client.recv(3, socket.MSG_WAITALL), b"\0\1x")
                server.await_stderr(f"peer=unix:{name} ")
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(server.connect()) for _ in range(3)]
                self.assertEqual([client.ask(b"in") for client in clients], [b"in"] * 3)
                with self.connect_from(os.path.join(directory, "9").ljust(108, "x")) as refused:
                    self.assertEqual(refused.recv(1), b"")
            self.assertEqual(server.stop(), 0)

    def test_a_peer_cannot_write_lines_of_its_own_into_the_log(self):
        name = os.path.join(os.path.dirname(self.path), 'a "b"\nevent=closed peer=forged')
        with serve("--unix", self.path, "--log") as server:
            with self.connect_from(name) as client:
                client.sendall(b"\0\1x")
                self.assertEqual(client.recv(3, socket.MSG_WAITALL), b"\0\1x")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(len(server.stderr().splitlines()), 1)
            self.assertIn(r'a \"b\"\nevent=closed peer=forged" requests=1', server.stderr())

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

    def test_those_who_never_ask_take_few_descriptors_and_hold_nobody_up(self):
        with serve("--port", "0", "--health-port", "0") as server, contextlib.ExitStack() as stack:
            server.health()
            before = server.descriptors()
            address = parse_address(server.health_url.removeprefix("http://").rstrip("/"))
            silent = [stack.enter_context(connect(address)) for _ in range(100)]
            self.assertEqual(server.health()[0], 200)
            self.assertEqual(silent[0].recv(1), b"")
            self.assertLess(server.descriptors(), before + 40)

    def test_it_may_have_a_host_of_its_own(self):
        with serve("--host", "0.0.0.0", "--port", "0", "--health-port", "0", "--health-host", "127.0.0.1") as server:
            self.assertEqual(server.address[0], "0.0.0.0")
            self.assertEqual(server.health()[0], 200)
            self.assertTrue(server.health_url.startswith("http://127.0.0.1:"))

    def test_a_port_in_use_is_one_line(self):
        with serve("--port", "0") as server:
            status, errors = failure_of("--port", "0", "--health-port", str(server.address[1]))
            self.assertEqual((status, errors.count("\n")), (1, 1))


if __name__ == "__main__":
    unittest.main()
