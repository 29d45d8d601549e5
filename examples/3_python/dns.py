# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""An authoritative DNS server for one small zone. DNS over TCP is length-prefixed messages, so dig is a client.

    python_server --app-dir examples/3_python --app dns:answer --port 8053
    dig +tcp -p 8053 @127.0.0.1 example MX
"""

import functools
import ipaddress
import struct

# RFC 1035, 3596 and 6891.
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28}
OPT, AXFR, ANY = 41, 252, 255
IN = 1
NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 3, 4, 5, 16
QR, OPCODE, AA, RD = 0x8000, 0x7800, 0x0400, 0x0100
HEADER = struct.Struct(">6H")
TTL = 300

ORIGIN = "example."
ZONE = {
    "example.": [
        ("SOA", "ns1.example. hostmaster.example. 2026010101 3600 600 86400 300"),
        ("NS", "ns1.example."),
        ("NS", "ns2.example."),
        ("MX", "10 mail.example."),
        ("A", "192.0.2.1"),
        ("AAAA", "2001:db8::1"),
        ("TXT", "served by Python, on a thread of its own"),
    ],
    "ns1.example.": [("A", "192.0.2.53"), ("AAAA", "2001:db8::53")],
    "ns2.example.": [("A", "198.51.100.53")],
    "mail.example.": [("A", "192.0.2.25")],
    "www.example.": [("CNAME", "example.")],
}


class FormatError(Exception):
    """The request is not a DNS message that this server understands."""


def encode_name(name):
    labels = [label.encode("ascii") for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def encode_data(kind, text):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(text).packed
    if kind in ("NS", "CNAME"):
        return encode_name(text)
    if kind == "MX":
        preference, exchange = text.split()
        return struct.pack(">H", int(preference)) + encode_name(exchange)
    if kind == "TXT":
        return bytes([len(text)]) + text.encode("ascii")
    primary, mailbox, *numbers = text.split()
    return encode_name(primary) + encode_name(mailbox) + struct.pack(">5I", *map(int, numbers))


def encode_record(name, kind, text):
    data = encode_data(kind, text)
    return encode_name(name) + struct.pack(">HHIH", TYPES[kind], IN, TTL, len(data)) + data


def read(message, offset, size):
    if offset + size > len(message):
        raise FormatError("the message is truncated")
    return message[offset : offset + size], offset + size


def read_name(message, offset):
    """The name at offset, in lower case, and the offset behind it. Names in requests are not compressed."""
    labels, start = [], offset
    while True:
        (size,), offset = read(message, offset, 1)
        if size == 0:
            return ".".join(labels).lower() + ".", offset
        if size > 63 or offset + size + 1 - start > 255:
            raise FormatError("the name is too long, or compressed")
        label, offset = read(message, offset, size)
        labels.append(label.decode("latin-1").replace(".", "\\."))


def read_edns_version(message, offset, records, additional):
    """The EDNS version that the records behind the question ask for, or None."""
    version = None
    for index in range(records):
        name, offset = read_name(message, offset)
        fixed, offset = read(message, offset, 10)
        kind, _, extended, size = struct.unpack(">HHIH", fixed)
        _, offset = read(message, offset, size)
        if kind == OPT:
            if version is not None or name != "." or index < records - additional:
                raise FormatError("OPT is misplaced")
            version = extended >> 16 & 0xFF
    if offset != len(message):
        raise FormatError("there is something behind the message")
    return version


def find(name, kind):
    """The answer's code and records for a name and the number of a type; follows an alias within the zone."""
    if name != ORIGIN and not name.endswith("." + ORIGIN):
        return REFUSED, []
    if name not in ZONE:
        return NXDOMAIN, []
    answers = [(name, own, text) for own, text in ZONE[name] if kind in (TYPES[own], ANY)]
    if answers:
        return NOERROR, answers
    aliases = [(name, own, text) for own, text in ZONE[name] if own == "CNAME"]
    if not aliases:
        return NOERROR, []
    code, answers = find(aliases[0][2], kind)
    return code, aliases + answers


def compose(ident, flags, code, question=b"", answers=(), authority=(), edns=False):
    records = b"".join(encode_record(*record) for record in (*answers, *authority))
    if edns:
        records += b"\0" + struct.pack(">HHIH", OPT, 65535, code >> 4 << 24, 0)
    counts = (1 if question else 0, len(answers), len(authority), int(edns))
    return HEADER.pack(ident, QR | flags | code & 0xF, *counts) + question + records


def answer_query(request, ident, flags, counts):
    name, end = read_name(request, HEADER.size)
    fixed, end = read(request, end, 4)
    kind, family = struct.unpack(">HH", fixed)
    question = request[HEADER.size : end]
    version = read_edns_version(request, end, sum(counts[1:]), counts[3])
    if version:
        return compose(ident, flags, BADVERS, question, edns=True)
    if family not in (IN, ANY) or kind == AXFR:
        return compose(ident, flags, REFUSED, question, edns=version is not None)
    code, answers = find(name, kind)
    if code == REFUSED:
        return compose(ident, flags, code, question, edns=version is not None)
    authority = () if answers else [(ORIGIN, *ZONE[ORIGIN][0])]
    return compose(ident, flags | AA, code, question, answers, authority, version is not None)


def answer_to(request):
    """The answer to a message whose number is 0."""
    ident, flags, *counts = HEADER.unpack_from(request)
    kept = flags & (OPCODE | RD)
    if flags & OPCODE:
        return compose(ident, kept, NOTIMP)
    if flags & QR or counts[0] != 1:
        return compose(ident, kept, FORMERR)
    try:
        return answer_query(request, ident, kept, counts)
    except FormatError:
        return compose(ident, kept, FORMERR)


# The zone does not change, and the same is asked again and again; what is longer than a query is not kept, whoever sends it.
kept_answer_to = functools.lru_cache(maxsize=4096)(answer_to)


def answer(request):
    """Answer one DNS message with another."""
    number = bytes(request[:2])
    if len(request) < HEADER.size:
        return compose(int.from_bytes(number, "big"), 0, FORMERR)
    find_answer = kept_answer_to if len(request) <= 512 else answer_to
    return number + find_answer(b"\0\0" + request[2:])[2:]
