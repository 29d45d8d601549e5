# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import os
import subprocess
import unittest

from harness import WATCHDOG, Client, Server, parse_address, program

SHARED = ("host", "port", "unix", "reuse-port", "threads", "limit", "max-connections", "in-flight", "idle-timeout",
          "read-timeout", "write-timeout", "linger-timeout", "drain-timeout", "lame-duck", "log", "stats", "health-port",
          "health-host", "probe", "help")
SERVERS = {
    "2_servers/echo_server": ("prefix",),
    "2_servers/figure_1_echo": ("app", "app-dir"),
    "3_python/python_server": ("app", "app-dir"),
}
ECHO = program("2_servers/echo_server")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=WATCHDOG)


class Help(unittest.TestCase):
    def test_it_says_what_each_option_does_in_a_hundred_columns(self):
        for path, own in SERVERS.items():
            done = run(program(path), "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for option in (*SHARED, *own):
                self.assertRegex(done.stdout, rf"(?m)^  --{option}( [A-Z:]+)?(  +|\n {{20}} *)[^ ]")
            self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)

    def test_it_says_the_defaults(self):
        text = " ".join(run(ECHO, "--help").stdout.split())
        for option in SHARED:
            if option not in ("unix", "reuse-port", "log", "stats", "health-port", "health-host", "probe", "help"):
                self.assertRegex(text, rf"--{option} [A-Z]+ [^-][^(]*\([\d.]+\)")


class WrongValues(unittest.TestCase):
    def test_they_are_one_line_and_status_two(self):
        wrong = {
            "host": ("",),
            "unix": ("",),
            "health-host": ("",),
            "port": ("65536", "-1", "80a", ""),
            "threads": ("0", "x"),
            "limit": ("-1", "1k"),
            "max-connections": ("0", "many"),
            "in-flight": ("0", "1.5"),
            "idle-timeout": ("-1", "nan", "inf", "1e99", "5s", ""),
            "read-timeout": ("-0.1",),
            "write-timeout": ("x",),
            "linger-timeout": ("x",),
            "drain-timeout": ("x",),
            "lame-duck": ("x",),
            "stats": ("x",),
            "health-port": ("65536", "x", ""),
        }
        for option, values in wrong.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    done = run(ECHO, "--" + option, value)
                    self.assertEqual((done.returncode, done.stdout, done.stderr),
                                     (2, "", f"echo_server: --{option} does not take '{value}'; try --help\n"))


class Insight(unittest.TestCase):
    def test_the_log_has_a_line_for_each_connection(self):
        with Server([ECHO, "--port", "0", "--log"]) as server:
            with server.connect() as client:
                peer = "%s:%d" % client.socket.getsockname()
                self.assertEqual([client.ask(payload) for payload in (b"one", b"two!")], [b"one", b"two!"])
            with server.connect() as client:
                client.socket.sendall(b"\0\5he")
                client.finish()
                self.assertIsNone(client.receive())
            self.assertEqual(server.stop(), 0)
            one, other = sorted(server.log(), key=lambda line: line["requests"], reverse=True)
            self.assertEqual({name: one[name] for name in one if name != "seconds"},
                             {"event": "closed", "peer": peer, "requests": "2", "bytes_in": "11", "bytes_out": "11",
                              "end": "closed by the peer"})
            self.assertLess(0, float(one["seconds"]))
            self.assertEqual((other["requests"], other["end"]), ("0", "the stream ended inside a frame"))

    def test_what_a_callable_raises_is_one_line_of_the_log(self):
        with Server.serving("3_python/python_server", "apps:obey", "--log") as server:
            with server.connect() as client:
                self.assertIsNone(client.ask(b'raise "this"'))
            self.assertEqual(server.stop(), 0)
            self.assertEqual(len(server.stderr().splitlines()), 1)
            self.assertIn(r'ValueError: \"this\"', server.ends()[0])

    def test_without_the_log_no_line_of_it_looks_like_one_of_the_server(self):
        with Server.serving("3_python/python_server", "apps:obey") as server:
            with server.connect() as client:
                self.assertIsNone(client.ask(b"raise first\nforged: \x1b[31m"))
            self.assertEqual(server.stop(), 0)
            first, *others = server.stderr().splitlines()
            self.assertTrue(first.startswith("127.0.0.1:"), first)
            self.assertTrue(others and all(line.startswith("    ") for line in others), others)
            self.assertIn(r"forged: \x1b[31m", others[-1])

    def test_when_whoever_reads_the_log_goes_the_server_stays(self):
        reader, writer = os.pipe()
        server = subprocess.Popen([ECHO, "--port", "0", "--log"], stdout=subprocess.PIPE, stderr=writer, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.kill)
        os.close(writer)
        os.close(reader)
        address = parse_address(server.stdout.readline().strip().removeprefix("listening on "))
        for _ in range(3):
            with Client(address) as client:
                self.assertEqual(client.ask(b"still here"), b"still here")
                client.finish()
                self.assertIsNone(client.receive())
        server.terminate()
        self.assertEqual(server.wait(WATCHDOG), 0)

    def test_the_statistics_tell_of_the_server_and_of_the_resource(self):
        with Server.serving("3_python/python_server", "apps:echo", "--stats", "0.05", "--health-port", "0") as server:
            with server.connect() as client:
                self.assertEqual(client.ask(b"four"), b"four")
                # A reply is counted when it has been sent: the peer may have it before.
                _, statistics = server.await_health(lambda _, statistics: statistics["bytes_out"] == 6)
                self.assertEqual({name: statistics[name] for name in ("state", "open", "accepted", "requests",
                                                                      "bytes_in", "resource_failed")},
                                 {"state": "serving", "open": 1, "accepted": 1, "requests": 1, "bytes_in": 6,
                                  "resource_failed": 0})
                self.assertGreaterEqual(statistics["resource_completed"], 1)
                server.await_health(lambda *_: any(line["requests"] == "1" for line in server.log()))
            self.assertEqual(server.stop(), 0)
            line = server.log()[-1]
            self.assertEqual((line["event"], line["accepted"], line["bytes_out"]), ("stats", "1", "6"))
            self.assertIn("resource_submitted", line)


if __name__ == "__main__":
    unittest.main()
