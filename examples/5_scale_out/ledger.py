# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""A callable that can be held to account: it enters each request in the file that LEDGER names, then answers.

    LEDGER=ledger.txt python_server --app-dir examples/5_scale_out --app ledger:enter
"""

import os

ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
signature = b" by %d" % os.getpid()


def enter(request):
    """A request is the client's name, the request's number and padding; the answer adds which process gave it."""
    client, number, _ = request.split(b" ", 2)
    os.write(ledger, b"%s %s\n" % (client, number))
    return request + signature
