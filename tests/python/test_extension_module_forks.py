# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Children that are forked under serve(): each ends, and none waits for what only its parent has."""

import os
import signal

import pytest

from extension import UNDER_TSAN, WAIT, arguments_for, give, lines, pytestmark, start, stop  # noqa: F401
from harness import Client, parse_address


# From 3.12 on CPython warns of what is tested here.
FORKS = """
import atexit, os, signal, sys, warnings
warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
def fork(end):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        end()
        return b"child"
    return b"%d" % os.waitpid(child, 0)[1]
def come_back():
    pass
def leave():
    sys.exit(3)
def fail():
    raise KeyError("in the child")
"""


@pytest.mark.parametrize("policy", ["per_batch", "held"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_child_that_the_app_forks_ends_as_a_program_does(start, kind, policy):
    app = FORKS + kind + " app(request): return fork(globals()[request.decode()])"
    server = start(app, arguments_for(policy))
    with server.connect() as client:
        assert client.ask(b"leave") == b"%d" % (3 << 8)
        assert client.ask(b"come_back") == b"0"
        assert client.ask(b"fail") == b"%d" % (1 << 8)
    output, errors = stop(server)
    assert output == ["returned None"]
    assert errors.splitlines()[-1] == "KeyError: 'in the child'"
    assert errors.count("Traceback") == 1


def test_a_child_that_the_app_forks_by_multiprocessing_ends(start):
    app = """
        import multiprocessing
        def app(request):
            child = multiprocessing.get_context("fork").Process(target=len, args=(request,))
            child.start()
            child.join(60)
            return b"%d" % child.exitcode
    """
    with start(app).connect() as client:
        assert client.ask(b"x") == b"0"


@pytest.mark.parametrize("policy", ["per_batch", "held"])  # beside a sub-interpreter CPython itself cannot fork
def test_a_child_that_a_signal_handler_forks_during_a_call_ends(start, policy):
    before = FORKS + "signal.signal(signal.SIGUSR1, lambda *_: print('child', fork(leave)))"
    server = start(WAIT, arguments_for(policy), before)
    with server.connect() as client:
        client.send(b"!")
        assert lines(server, 1) == ["called"]
        server.signal(signal.SIGUSR1)
        assert lines(server, 1) == ["child b'%d'" % (3 << 8)]
        give(server, "answer")
        assert client.receive() == b"answer!"
    assert stop(server) == (["returned None"], "")


@pytest.mark.skipif(UNDER_TSAN, reason="TSan crashes where a child's only thread ends, and that is not the main thread")
@pytest.mark.parametrize("policy", ["per_batch", "held"])
def test_a_child_that_another_thread_forks_during_a_call_ends(start, policy):
    app = FORKS + """
import threading
def run_atexit():
    atexit._run_exitfuncs()
    leave()
def app(request):
    results = []
    thread = threading.Thread(target=lambda: results.append(fork(run_atexit)))
    thread.start()
    thread.join()
    return results[0]
"""
    with start(app, arguments_for(policy)).connect() as client:
        assert client.ask(b"x") == b"0"


def test_a_child_that_is_forked_when_it_has_returned_may_serve_and_ends(start):
    after = FORKS + """
def serve_again():
    signal.signal(signal.SIGUSR1, signal.default_int_handler)
    print("child", os.getpid())
    print("returned", serve(app, port=0))
    leave()
print("status", fork(serve_again))
"""
    server = start("def app(request): return request", after=after)
    with server.connect() as client:
        assert client.ask(b"one") == b"one"
    server.signal(signal.SIGINT)
    returned, child, listening = lines(server, 3)
    assert returned == "returned None"
    with Client(parse_address(listening[len("listening on "):])) as client:
        assert client.ask(b"two") == b"two"
    os.kill(int(child.split()[1]), signal.SIGUSR1)
    assert lines(server, 2) == ["returned None", "status b'%d'" % (3 << 8)]
