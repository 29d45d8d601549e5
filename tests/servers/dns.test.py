# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

import os
import random
import shutil
import struct
import subprocess
import sys
import unittest

from harness import EXAMPLES, WATCHDOG, Server, program

sys.path.insert(0, os.path.join(EXAMPLES, "3_python"))
import dns  # noqa: E402

A, NS, CNAME, SOA, MX, TXT, AAAA, ANY = 1, 2, 5, 6, 15, 16, 28, 255


def query(name, kind, flags=0x0100, family=1, additional=b"", count=0):
    header = struct.pack(">6H", 0x1234, flags, 1, 0, 0, count)
    return header + dns.encode_name(name) + struct.pack(">HH", kind, family) + additional


def opt(version=0):
    return b"\0" + struct.pack(">HHIH", 41, 1232, version << 16, 0)


class Reply:
    """What a reply says; records are tuples of name, type and data."""

    def __init__(self, message):
        ident, self.flags, questions, *counts = struct.unpack_from(">6H", message)
        assert ident == 0x1234
        self.code = self.flags & 0xF
        offset = 12
        for _ in range(questions):
            _, offset = dns.read_name(message, offset)
            offset += 4
        self.sections = []
        for count in counts:
            records = []
            for _ in range(count):
                name, offset = dns.read_name(message, offset)
                kind, _, ttl, size = struct.unpack_from(">HHIH", message, offset)
                records.append((name, kind, message[offset + 10 : offset + 10 + size]))
                offset += 10 + size
                if kind == 41:
                    self.code |= ttl >> 24 << 4
            self.sections.append(records)
        assert offset == len(message)
        self.answer, self.authority, self.additional = self.sections


class Answers(unittest.TestCase):
    def ask(self, *arguments, **keywords):
        return Reply(dns.answer(query(*arguments, **keywords)))

    def test_an_address(self):
        reply = self.ask("example", A)
        self.assertEqual((reply.code, reply.answer), (0, [("example.", A, bytes([192, 0, 2, 1]))]))
        self.assertEqual(reply.flags, 0x8500)

    def test_each_type_of_the_zone(self):
        for kind, count in {A: 1, AAAA: 1, MX: 1, NS: 2, SOA: 1, TXT: 1, ANY: 7}.items():
            self.assertEqual(len(self.ask("example", kind).answer), count)

    def test_a_name_is_found_in_any_case_and_echoed_as_asked(self):
        message = dns.answer(query("eXaMpLe", A))
        self.assertIn(b"eXaMpLe", message)
        self.assertEqual(len(Reply(message).answer), 1)

    def test_an_alias_is_followed(self):
        self.assertEqual([kind for _, kind, _ in self.ask("www.example", A).answer], [CNAME, A])
        self.assertEqual([kind for _, kind, _ in self.ask("www.example", CNAME).answer], [CNAME])

    def test_a_name_without_that_type_has_an_empty_answer_and_the_soa(self):
        reply = self.ask("mail.example", MX)
        self.assertEqual((reply.code, reply.answer, reply.authority[0][1]), (dns.NOERROR, [], SOA))

    def test_a_name_that_does_not_exist(self):
        reply = self.ask("missing.example", A)
        self.assertEqual((reply.code, reply.answer, reply.authority[0][1]), (dns.NXDOMAIN, [], SOA))

    def test_what_is_not_ours_is_refused(self):
        self.assertEqual(self.ask("example.org", A).code, dns.REFUSED)
        self.assertEqual(self.ask("notexample", A).code, dns.REFUSED)
        self.assertEqual(self.ask("example", A, family=3).code, dns.REFUSED)
        self.assertEqual(self.ask("example", 252).code, dns.REFUSED)

    def test_another_opcode_is_not_implemented(self):
        self.assertEqual(self.ask("example", A, flags=5 << 11).code, dns.NOTIMP)

    def test_edns_is_answered_with_edns(self):
        self.assertEqual(self.ask("example", A).additional, [])
        reply = self.ask("example", A, additional=opt(), count=1)
        self.assertEqual((reply.code, len(reply.answer), reply.additional[0][1]), (0, 1, 41))
        self.assertEqual(self.ask("example", A, additional=opt(1), count=1).code, dns.BADVERS)
        self.assertEqual(self.ask("example", A, additional=opt() * 2, count=2).code, dns.FORMERR)

    def test_a_message_cut_short_or_too_long_is_a_format_error(self):
        message = query("www.example", A, additional=opt(), count=1)
        for size in range(2, len(message)):
            self.assertEqual(Reply(dns.answer(message[:size])).code, dns.FORMERR)
        self.assertEqual(Reply(dns.answer(message + b"\0")).code, dns.FORMERR)
        self.assertEqual(len(dns.answer(b"")), 12)

    def test_nothing_is_kept_of_a_message_longer_than_a_query(self):
        kept = dns.kept_answer_to.cache_info().currsize
        for number in range(10):
            dns.answer(query("example", A) + bytes([number]) * 500)
        self.assertEqual(dns.kept_answer_to.cache_info().currsize, kept)

    def test_a_response_is_not_answered_as_a_query(self):
        self.assertEqual(self.ask("example", A, flags=0x8000).code, dns.FORMERR)

    def test_garbage_always_gets_a_message(self):
        numbers = random.Random(1)
        message = query("www.example", A, additional=opt(), count=1)
        for _ in range(20_000):
            garbage = bytearray(message[: numbers.randint(2, len(message))])
            for _ in range(numbers.randint(1, 4)):
                garbage[numbers.randrange(len(garbage))] = numbers.randrange(256)
            self.assertGreaterEqual(len(dns.answer(bytes(garbage))), 12)


@unittest.skipUnless(shutil.which("dig"), "dig is not installed")
class Dig(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server([program("3_python/python_server"), "--app-dir", os.path.join(EXAMPLES, "3_python"),
                             "--app", "dns:answer", "--port", "0"])

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0
        cls.server.__exit__()

    def dig(self, *arguments):
        host, port = self.server.address
        run = subprocess.run(["dig", "-r", "+tcp", "+tries=1", "-p", str(port), "@" + host, *arguments],
                             capture_output=True, text=True, timeout=WATCHDOG)
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertNotIn("Warning", run.stdout)
        self.assertNotIn("malformed", run.stdout)
        return run.stdout

    def test_dig_gets_each_type(self):
        expected = {
            "A": "192.0.2.1",
            "AAAA": "2001:db8::1",
            "MX": "10 mail.example.",
            "NS": "ns1.example.\nns2.example.",
            "SOA": "ns1.example. hostmaster.example. 2026010101 3600 600 86400 300",
            "TXT": '"served by Python, on a thread of its own"',
        }
        for kind, text in expected.items():
            self.assertEqual(self.dig("+short", "example", kind).strip(), text)

    def test_dig_follows_the_alias(self):
        self.assertEqual(self.dig("+short", "www.example").strip(), "example.\n192.0.2.1")

    def test_dig_sees_the_codes(self):
        self.assertIn("status: NXDOMAIN", self.dig("missing.example"))
        self.assertIn("status: REFUSED", self.dig("example.org"))
        self.assertIn("status: NOTIMP", self.dig("+opcode=notify", "example"))
        self.assertIn("status: BADVERS", self.dig("+edns=1", "+noednsneg", "example"))

    def test_dig_may_ask_several_questions_on_one_connection(self):
        self.assertEqual(self.dig("+keepopen", "+short", "example", "ns1.example", "+short").split(),
                         ["192.0.2.1", "192.0.2.53"])


if __name__ == "__main__":
    unittest.main()
