# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Hostile clients: the server lives, serves the client beside them as ever, and gives back what they took."""

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import unittest

from attacks import least_of
from harness import HERE, WATCHDOG, Server, allow_descriptors, program, python, speak_tls
from processors import Processors

# The neighbour asks once a millisecond. Its p99 is compared with that of another, of a twin of the server that nobody
# attacks, at the same time, so that what the attackers and others take from the machine delays both; what counts is the
# median of the ratios in several windows. When it is too great the attack is repeated and windows are added: noise goes
# away, what is the server's stays. And it must be too great in quiet windows, of which others have had no more than a
# tenth of the processors' time: a server that the attack keeps busy waits for them, and its twin does not.
# Where other tests run at the same time, only what the servers do is looked at, and not how soon: in windows so short
# that requests which are late do not add up to a stall.
JUDGES_LATENCY = os.environ.get("HOSTILE_LATENCY", "1") == "1"
WINDOW, WINDOWS = (200, 4) if JUDGES_LATENCY else (20, 10)
ROUNDS = 4
OTHERS = 0.1

# Milliseconds. A usual p99 below this is too good to be doubled only: who wakes up on a processor that another process
# has waits for longer, whoever serves.
FLOOR = 1

# Milliseconds, too. A median does not see what happens once.
STALL = 1000

# What a connection may cost; what TLS adds; and the buffers that have grown to the largest frame, or to several of the
# largest replies: a server that is asked for more of them waits until these are read.
CONNECTION = 16 << 10
TLS = 96 << 10
GROWN = 384 << 10
SLACK = 4 << 20

ECHO = program("2_servers/echo_server")
TIMEOUTS = ("--idle-timeout", "--read-timeout", "--write-timeout")


class Child:
    """A script beside this file, spoken to in lines."""

    def __init__(self, script, server, *arguments):
        host, port = server.address
        self.process = subprocess.Popen(python(os.path.join(HERE, script), *arguments, host, str(port)),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"{self.process.args[1]} ended with {self.process.wait(WATCHDOG)}")
        return line


class Neighbour(Child):
    def ask(self, count):
        print(count, file=self.process.stdin, flush=True)

    def times(self):
        """How many milliseconds each request took."""
        return json.loads(self.line())


class Attack(Child):
    def __enter__(self):
        self.line()
        return self

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def end(self):
        """What it did."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        return json.loads(self.line())


def p99(times):
    return statistics.quantiles(times, n=100)[-1]


def slow(windows):
    return bool(windows) and statistics.median(during / max(usual, FLOOR) for during, usual in windows) > 2


class Siege:
    """An attack on a server with a neighbour; complaints has what was wrong, did what the attackers did."""

    def __init__(self, server, twin, attack, *, connections=0, tls=False, question=(), given_up=False,
                 hungry=b"", memory=CONNECTION, watchdog=WATCHDOG):
        self.server = server
        self.twin = twin
        self.tls = ("--tls",) if tls else ()
        gives_way = ("--gives-way",) if JUDGES_LATENCY else ()
        ask_for_much = ("--hungry", hungry.hex()) if hungry else ()
        self.attack = (*self.tls, *gives_way, *ask_for_much, "--watchdog", str(watchdog), "--connections",
                       str(connections), attack)
        self.question = question
        self.given_up = given_up
        self.memory = memory
        self.watchdog = watchdog
        self.windows = []  # the p99 of the neighbour, and of the twin's
        self.quiet = []    # those of the quiet windows
        self.waits = []
        self.complaints = []

    def run(self):
        with self.neighbour_of(self.server) as neighbour, self.neighbour_of(self.twin) as other:
            self.neighbours = neighbour, other
            for _ in range(ROUNDS):
                self.round()
                if self.complaints or not JUDGES_LATENCY or not slow(self.windows):
                    break
        if JUDGES_LATENCY and slow(self.quiet):
            self.complaints.append(f"the neighbour waits too long: {self.latency()}")
        print(f"{self.attack[-1]}: {self.latency()}; {self.grown >> 10} KiB more; {self.did}", flush=True)
        return self.complaints

    def neighbour_of(self, server):
        return Neighbour("neighbour.py", server, *self.tls, *self.question)

    def round(self):
        self.measure()
        descriptors = self.server.descriptors()
        back = lambda: self.server.descriptors() == descriptors
        memory = self.server.resident()
        self.server.forget_peak()

        with Attack("attacks.py", self.server, *self.attack) as attack:
            self.latencies(attack)
            if self.given_up:
                attack.pause()
                self.expect(self.happens(back), "connections are never given up")
            self.did = attack.end()
        what, least = least_of(self.attack[-1], self.did)
        self.expect(self.did.get(what, 0) >= least, f"that was no attack: {self.did}")
        self.expect(self.given_up or self.happens(back), "descriptors are not given back")

        self.grown = self.server.resident(peak=True) - memory
        most = SLACK + self.did.get("at once", 0) * self.memory
        self.expect(self.grown <= most, f"memory grows by {self.grown >> 20} MiB")
        self.expect(max(self.waits) < STALL, "the neighbour waits for a second")

    def latencies(self, attack):
        processes = self.server, self.twin, attack, *self.neighbours
        processors = Processors(*(each.process.pid for each in processes))
        windows = [self.measure() for _ in range(WINDOWS)]
        self.windows += [(p99(during), p99(usual)) for during, usual in windows]
        self.waits += [max(during) - max(usual) for during, usual in windows]
        if processors.others() <= OTHERS:
            self.quiet += self.windows[-WINDOWS:]

    def measure(self, count=WINDOW):
        for each in self.neighbours:
            each.ask(count)
        return [each.times() for each in self.neighbours]

    def happens(self, condition):
        """Whether it does, while the neighbours go on asking."""
        deadline = time.monotonic() + self.watchdog
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.measure(10)
        return True

    def expect(self, good, complaint):
        if not good:
            self.complaints.append(complaint)

    def undecided(self):
        return JUDGES_LATENCY and slow(self.windows) and not slow(self.quiet)

    def latency(self):
        during, usual = map(statistics.median, zip(*self.windows))
        times = statistics.median(during / usual for during, usual in self.windows)
        return (f"p99 {during:.3f} ms, usually {usual:.3f} ms, {times:.1f} times that, {len(self.windows)} windows, "
                f"{len(self.quiet)} quiet")


class Hostile:
    """The attacks; those who derive from this have the servers."""

    tls = False
    question = ("--request", b"hello".hex())
    hungry = b""  # a request whose reply is as large as they get, if the largest request is none
    grown = GROWN
    timeouts = TIMEOUTS

    def endure(self, attack, *options, connections=0, given_up=False, timeout=0, memory=CONNECTION, **keywords):
        for name in self.timeouts if timeout else ():
            options += (name, str(timeout))
        with self.serve(*options, **keywords) as server, self.serve(*options) as twin:
            siege = Siege(server, twin, attack, connections=connections, tls=self.tls, question=self.question,
                          given_up=given_up, hungry=self.hungry, memory=memory + self.tls * TLS)
            self.assertEqual(siege.run(), [])
            with server.connect(speak_tls if self.tls else None) as client:
                self.assertIsNotNone(client.ask(b"hello"))
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("dropped", server.stderr())
        if siege.undecided():
            self.addCleanup(self.skipTest, f"too noisy: {siege.latency()}")
        return siege.did

    def test_half_open_connections(self):
        self.endure("half_open", timeout=0.5, given_up=True)

    def test_a_prefix_that_never_comes(self):
        self.endure("prefix_that_never_comes", timeout=0.5, given_up=True)

    def test_a_payload_that_never_comes(self):
        self.endure("payload_that_never_comes", timeout=0.5, given_up=True)

    def test_a_slow_loris(self):
        self.endure("slow_loris", timeout=0.5, given_up=True)

    def test_resets_inside_a_frame(self):
        self.endure("reset_inside_a_frame")

    def test_zero_length_frames_by_the_million(self):
        self.endure("zero_length_frames")

    def test_replies_that_are_never_read(self):
        with self.serve() as server, server.connect(speak_tls if self.tls else None) as client:
            self.assertEqual(len(client.ask(self.hungry or bytes(65_535))), 65_535)
        did = self.endure("never_reads", timeout=0.5, given_up=True, memory=self.grown)
        self.assertNotIn("taken whole", did)

    def test_five_thousand_connections(self):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100
        count = min(5000, most)
        if count < 5000:
            print(f"only {count}, as the system allows no more descriptors")
        self.endure("crowd", connections=count)

    def test_more_connections_than_descriptors(self):
        few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        self.endure("flood", connections=500, preexec_fn=few)

    def test_connections_that_come_and_go(self):
        self.endure("churn")

    def test_garbage(self):
        self.endure("garbage", timeout=0.5)

    def test_half_a_handshake(self):
        self.endure("half_a_handshake", timeout=0.5, given_up=True)

    def test_garbage_in_place_of_a_handshake(self):
        self.endure("no_handshake", timeout=0.5)


class EchoServer(Hostile, unittest.TestCase):
    def serve(self, *options, **keywords):
        return Server([ECHO, "--port", "0", *options], **keywords)


class PythonServer(Hostile, unittest.TestCase):
    hungry = b"reply 65535"

    # Replies are added where Python has them, until a quarter of a MiB waits; the buffer doubles.
    grown = 2 * ((256 << 10) + 2 + 65_535) + CONNECTION

    def serve(self, *options, **keywords):
        return Server.serving("3_python/python_server", "apps:obey", *options, **keywords)


class AwaitingServer(PythonServer):
    """The same, of coroutines: what is sent and received at once."""

    # Twice sixteen may be under way, whose replies Python has.
    grown = PythonServer.grown + 2 * 16 * 65_536

    def serve(self, *options, **keywords):
        return Server.serving("3_python/python_server", "apps:obey_later", *options, **keywords)

    def test_resets_inside_a_frame(self):
        # For each of the four at once more than a hundred wait for Python to cancel what they have asked for.
        self.endure("reset_inside_a_frame", memory=128 * CONNECTION)


KEY_VALUES = program("4_sqlite/kv_server")


@unittest.skipUnless(os.path.exists(KEY_VALUES), "built without SQLite")
class KeyValueServer(Hostile, unittest.TestCase):
    """The client beside them gets a key that is not there. One that is has the largest value that can be put."""

    question = ("--request", b"G\0\3key".hex(), "--reply", b"-".hex())
    hungry = b"S\0\0"
    largest = b"P\0\1k" + (65_529).to_bytes(2, "big") + bytes(65_529)

    def serve(self, *options, **keywords):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        database = os.path.join(directory.name, "kv.db")
        server = Server([KEY_VALUES, "--database", database, "--port", "0", *options], **keywords)
        with server.connect() as client:
            self.assertEqual(client.ask(self.largest), b"+")
        return server


SPEAKS_TLS = shutil.which("openssl") and "--tls-certificate" in subprocess.run(
    [ECHO, "--help"], capture_output=True, text=True, check=True).stdout


@unittest.skipUnless(SPEAKS_TLS, "built or run without OpenSSL")
class TlsEchoServer(Hostile, unittest.TestCase):
    tls = True
    timeouts = ("--handshake-timeout", *TIMEOUTS)

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.key, cls.certificate = (os.path.join(directory.name, name) for name in ("key.pem", "certificate.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-subj", "/CN=localhost", "-keyout", cls.key, "-out", cls.certificate],
                       check=True, capture_output=True)

    def serve(self, *options, **keywords):
        return Server([ECHO, "--port", "0", "--tls-certificate", self.certificate,
                       "--tls-key", self.key, *options], **keywords)


class CarelessServer(unittest.TestCase):
    """What the tests above look at is found where it is wrong."""

    def complaints(self, attack, **keywords):
        command = python(os.path.join(HERE, "careless_server.py"))
        with Server(command) as server, Server(command) as twin:
            siege = Siege(server, twin, attack, question=Hostile.question, watchdog=2, **keywords)
            if not siege.run() and siege.undecided():
                self.skipTest(f"too noisy: {siege.latency()}")
            return siege.complaints

    def test_one_that_sleeps_is_slow(self):
        self.assertRegex(str(self.complaints("reset_inside_a_frame")), "the neighbour waits")

    def test_one_that_keeps_connections_is_found(self):
        self.assertIn("connections are never given up", self.complaints("half_open", given_up=True))
        self.assertIn("descriptors are not given back", self.complaints("churn"))

    def test_an_attack_that_is_none_is_found(self):
        self.assertIn("that was no attack: {}", self.complaints("nothing"))

    def test_one_that_keeps_replies_is_found(self):
        self.assertRegex(str(self.complaints("never_reads")), "memory grows")


if __name__ == "__main__":
    allow_descriptors()
    unittest.main()
