# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import os
import signal
import subprocess
import unittest

from harness import WATCHDOG, Server, python, python_environment

SERVE = """
import signal, sys
import async_resource_server
{before}
try:
    print("returned", async_resource_server.serve({app}, port=0, threads=2))
except BaseException as error:
    print("raised", repr(error))
{after}
"""

CTRL_C_AGAIN = """
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


@unittest.skipIf(os.environ.get("PRELOAD") == "unavailable", "the sanitizer's run-time library cannot be preloaded")
class Extension(unittest.TestCase):
    def serving(self, app, before="", after=""):
        return Server(python("-u", "-c", SERVE.format(app=app, before=before, after=after)), env=python_environment())

    def run_python(self, code):
        return subprocess.run(python("-c", "import async_resource_server\n" + code), capture_output=True, text=True,
                              timeout=WATCHDOG, env=python_environment())

    def test_it_serves_and_ctrl_c_returns(self):
        with self.serving("bytes.upper", after=CTRL_C_AGAIN) as server:
            with server.connect() as one, server.connect() as other:
                self.assertEqual(one.ask(b"hello"), b"HELLO")
                self.assertEqual(other.ask(bytes(65_535)), bytes(65_535))
            server.signal(signal.SIGINT)
            self.assertEqual(server.wait(), 0)
            self.assertEqual(server.output.split("\n")[:2], ["returned None", "interrupted"])

    def test_other_threads_of_python_run_while_it_serves(self):
        before = "import threading; threading.Thread(target=lambda: sys.stdin.readline() and print('alive')).start()"
        command = python("-u", "-c", SERVE.format(app="bytes.upper", before=before, after=""))
        with Server(command, env=python_environment(), stdin=subprocess.PIPE) as server:
            server.process.stdin.write("go\n")
            server.process.stdin.flush()
            self.assertEqual(server.process.stdout.readline(), "alive\n")
            server.process.stdin.close()
            server.process.stdin = None
            server.signal(signal.SIGINT)
            self.assertEqual(server.wait(), 0)

    def test_a_handler_that_returns_does_not_stop_it_and_one_that_raises_does(self):
        before = ("signal.signal(signal.SIGUSR1, lambda *_: print('noted'));"
                  "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))")
        with self.serving("bytes.upper", before) as server, server.connect() as client:
            server.signal(signal.SIGUSR1)
            self.assertEqual(server.process.stdout.readline(), "noted\n")
            self.assertEqual(client.ask(b"still"), b"STILL")
            server.signal(signal.SIGTERM)
            self.assertIsNone(client.receive())
            self.assertEqual(server.wait(), 0)
            self.assertEqual(server.output, "raised SystemExit(5)\n")

    def test_a_callable_that_fails_ends_its_connection_only(self):
        with self.serving("lambda request: request.decode('ascii')") as server, server.connect() as neighbour:
            with server.connect() as client:
                self.assertIsNone(client.ask(b"\xff"))
            with server.connect() as client:
                self.assertIsNone(client.ask(b"not bytes"))
            with self.subTest("neighbour"):
                neighbour.send(b"not bytes either")
                self.assertIsNone(neighbour.receive())
            server.signal(signal.SIGINT)
            self.assertEqual(server.wait(), 0)
            self.assertIn("UnicodeDecodeError", server.stderr())
            self.assertIn("TypeError", server.stderr())

    def test_what_makes_no_sense_raises(self):
        cases = {
            "serve(1)": "TypeError",
            "serve()": "TypeError",
            "serve(len, port=65536)": "ValueError",
            "serve(len, threads=0)": "ValueError",
            "serve(len, host='256.0.0.1.')": "OSError",
            "serve(len, unknown=1)": "TypeError",
        }
        for call, expected in cases.items():
            with self.subTest(call):
                run = self.run_python("async_resource_server." + call)
                self.assertEqual(run.returncode, 1)
                self.assertIn(expected, run.stderr.splitlines()[-1])

    def test_another_thread_is_refused(self):
        run = self.run_python("import threading\n"
                              "def run():\n"
                              "    try:\n"
                              "        async_resource_server.serve(len, port=0)\n"
                              "    except ValueError as error:\n"
                              "        print(error)\n"
                              "threading.Thread(target=run).start()\n")
        self.assertEqual(run.returncode, 0)
        self.assertIn("main thread", run.stdout)


if __name__ == "__main__":
    unittest.main()
