# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest
import warnings

from harness import HERE, WATCHDOG, Server, program

ECHO = program("2_servers/echo_server")
SPEAKS_TLS = "--tls-certificate" in subprocess.run([ECHO, "--help"], capture_output=True, text=True).stdout


class Records:
    """TLS over a socket to which a test sends the records itself, in what pieces it likes."""

    def __init__(self, context, plain):
        self.plain, self.received, self.sealed = plain, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.received, self.sealed, server_hostname="localhost")
        self.complete(self.tls.do_handshake)
        self.plain.sendall(self.sealed.read())

    def complete(self, operation, *arguments):
        while True:
            try:
                return operation(*arguments)
            except ssl.SSLWantReadError:
                self.plain.sendall(self.sealed.read())
                self.received.write(self.plain.recv(65_536))

    def seal(self, data):
        """The record that carries it."""
        self.tls.write(data)
        return self.sealed.read()

    def read(self, size):
        """What comes next, some of it; nothing at the end."""
        return self.complete(self.tls.read, size)


PIECES = (1, 5, 6)  # of a record: whose header is five bytes


@unittest.skipUnless(SPEAKS_TLS, "built without OpenSSL")
@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.certificate, cls.key = (os.path.join(directory.name, name) for name in ("certificate.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=localhost", "-days", "2", "-keyout", cls.key, "-out", cls.certificate],
                       check=True, capture_output=True, timeout=WATCHDOG)
        cls.context = ssl.create_default_context(cafile=cls.certificate)

    def serve(self, *options, path=ECHO):
        return Server([path, "--port", "0", "--log", "--tls-certificate", self.certificate, "--tls-key", self.key,
                       *options])

    def wrap(self, plain):
        return self.context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)

    def test_frames_come_back(self):
        with self.serve() as server, server.connect(self.wrap) as client:
            for size in (0, 1, 65_535):
                self.assertEqual(client.ask(bytes(size)), bytes(size))
            requests = [b"%d" % i for i in range(1000)]
            client.send_all(requests)
            self.assertEqual([client.receive() for _ in requests], requests)

    def test_the_figures_and_python_serve_it_too(self):
        for path in ("2_servers/figure_1_echo", "3_python/python_server"):
            with self.subTest(path):
                options = ("--app", "apps:echo", "--app-dir", HERE)
                with self.serve(*options, path=program(path)) as server, server.connect(self.wrap) as client:
                    for size in (0, 1, 65_535):
                        self.assertEqual(client.ask(bytes(size)), bytes(size))

    def test_requests_and_replies_pass_while_coroutines_await(self):
        options = ("--app", "apps:meet", "--app-dir", HERE)
        with self.serve(*options, path=program("3_python/python_server")) as server:
            with server.connect(self.wrap) as client, server.connect(self.wrap) as other:
                client.send(b"wait here")
                self.assertEqual(other.ask(b"when started here"), b"when started here")
                client.send(b"reply 65535")
                client.send(b"raise this")
                self.assertEqual(other.ask(b"set here"), b"set here")
                self.assertEqual(client.receive(), b"wait here")
                self.assertEqual(client.receive(), bytes(65_535))
                self.assertEqual(client.socket.recv(1), b"")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(["ValueError: this" in end for end in server.ends()], [True, False])

    def test_what_awaits_is_dropped_at_a_second_signal(self):
        options = ("--app", "apps:meet", "--app-dir", HERE, "--health-port", "0", "--drain-timeout", "0")
        with self.serve(*options, path=program("3_python/python_server")) as server:
            with server.connect(self.wrap) as client, server.connect(self.wrap) as witness:
                client.send(b"wait here")
                self.assertEqual(witness.ask(b"when started here"), b"when started here")
                server.signal()
                server.await_health(lambda status, _: status == 404)
                server.signal()
                self.assertEqual(server.wait(), 0)

    def test_a_drain_ends_with_a_close_notify(self):
        with self.serve() as server:
            with server.connect(self.wrap) as client:
                self.assertEqual(client.ask(b"one"), b"one")
                server.signal()
                self.assertEqual(client.socket.recv(1), b"")
            self.assertEqual(server.wait(), 0)
            self.assertEqual(server.ends(), ["drained"])

    def test_what_had_been_received_is_answered_in_a_drain(self):
        with self.serve() as server, server.connect(self.wrap) as client:
            self.assertEqual(client.ask(b"one"), b"one")
            requests = [b"%d" % i for i in range(1000)]
            client.send_all(requests)
            self.assertEqual(client.receive(), b"0")
            server.signal()
            self.assertEqual([client.receive() for _ in requests[1:]], requests[1:])
            self.assertEqual(client.socket.recv(1), b"")

    def test_a_record_that_has_begun_may_end_in_a_drain(self):
        for size in PIECES:
            with self.subTest(size), self.serve() as server, server.connect(self.wrap) as idle:
                with server.connect() as client:
                    records = Records(self.context, client.socket)
                    client.socket.sendall(records.seal(b"\0\3one"))
                    self.assertEqual(records.read(5), b"\0\3one")
                    record = records.seal(b"\0\5hello")
                    client.socket.sendall(record[:size])
                    self.assertEqual(idle.ask(b"found"), b"found")
                    server.signal()
                    self.assertIsNone(idle.receive())
                    client.socket.sendall(record[size:])
                    self.assertEqual(records.read(7), b"\0\5hello")
                    self.assertEqual(records.read(1), b"")
                idle.socket.close()
                self.assertEqual(server.wait(), 0)
                self.assertEqual(server.ends(), ["drained", "drained"])

    def test_a_part_of_a_record_is_the_beginning_of_a_request(self):
        for size in PIECES:
            with self.subTest(size), self.serve("--read-timeout", "0.2", "--idle-timeout", "0.6") as server:
                with server.connect() as client:
                    records = Records(self.context, client.socket)
                    client.socket.sendall(records.seal(b"\0\5hello")[:size])
                    while client.socket.recv(1024):
                        pass
                self.assertEqual(server.stop(), 0)
                self.assertEqual(server.ends(), ["read timeout"])

    def test_a_request_too_large_ends_with_a_close_notify(self):
        with self.serve("--limit", "10") as server, server.connect(self.wrap) as client:
            self.assertEqual(client.ask(bytes(10)), bytes(10))
            client.send(bytes(11))
            self.assertEqual(client.socket.recv(1), b"")

    def test_a_peer_that_shakes_no_hands_is_closed(self):
        for said in (b"", b"\x16\x03\x01"):
            with self.subTest(said), self.serve("--handshake-timeout", "0.2") as server:
                with server.connect() as client:
                    client.socket.sendall(said)
                    self.assertIsNone(client.receive())
                self.assertEqual(server.stop(), 0)
                self.assertEqual(server.ends(), ["handshake timeout"])

    def test_one_that_speaks_no_tls_is_closed_and_its_neighbour_is_not(self):
        with self.serve() as server, server.connect(self.wrap) as neighbour:
            with server.connect() as client:
                client.socket.sendall(b"GET / HTTP/1.0\r\n\r\n" * 100)
                while client.read(1):
                    pass
            self.assertEqual(neighbour.ask(b"still"), b"still")

    def test_a_peer_that_goes_without_a_close_notify_is_no_failure(self):
        with self.serve() as server:
            with server.connect(self.wrap) as client:
                self.assertEqual(client.ask(b"one"), b"one")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.ends(), ["closed by the peer"])

    def test_a_peer_that_ends_its_side_without_a_close_notify_is_not_waited_for(self):
        with self.serve("--linger-timeout", "0") as server, server.connect(self.wrap) as client:
            self.assertEqual(client.ask(b"one"), b"one")
            client.socket.shutdown(socket.SHUT_WR)  # of TCP, beneath TLS
            while client.socket.recv(1024):
                pass

    def test_old_versions_are_refused(self):
        context = ssl.create_default_context(cafile=self.certificate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with self.serve() as server, socket.create_connection(server.address, WATCHDOG) as plain:
            with self.assertRaises(ssl.SSLError):
                context.wrap_socket(plain, server_hostname="localhost")

    def test_a_certificate_that_cannot_be_read_is_one_line(self):
        for files in (("/no/such/file", self.key), (self.certificate, "/no/such/file"), (self.key, self.key),
                      (self.certificate, self.certificate)):
            with self.subTest(files):
                done = subprocess.run([ECHO, "--port", "0", "--tls-certificate", files[0], "--tls-key", files[1]],
                                      capture_output=True, text=True, timeout=WATCHDOG)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1))
                self.assertTrue(any(name in done.stderr for name in files), done.stderr)

    def test_a_key_without_a_certificate_is_refused(self):
        done = subprocess.run([ECHO, "--port", "0", "--tls-key", self.key], capture_output=True, text=True,
                              timeout=WATCHDOG)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (2, "", "echo_server: --tls-key goes with --tls-certificate; try --help\n"))


if __name__ == "__main__":
    unittest.main()
