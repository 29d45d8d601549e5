# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""serve(home='io'): the app on the thread that reads and writes."""

import signal

import pytest

from extension import HOOK, NOTED, UNDER_TSAN, give, lines, run_python, start, stop  # noqa: F401
from extension import pytestmark as preloaded
from harness import WATCHDOG

# There is one thread, hence nothing for TSan to find; and it keeps signals until the thread calls what may wait.
pytestmark = [preloaded, pytest.mark.skipif(UNDER_TSAN, reason="TSan holds signals back")]

AT_IO = "app, home='io'"


def test_it_answers_and_ctrl_c_returns(start):
    server = start("def app(request): return request.upper()", AT_IO)
    with server.connect() as one, server.connect() as other:
        one.send_all([b"%d a" % i for i in range(1000)])
        assert other.ask(b"hello") == b"HELLO"
        assert [one.receive() for _ in range(1000)] == [b"%d A" % i for i in range(1000)]
    assert stop(server) == (["returned None"], "")


def test_there_is_no_other_thread(start):
    app = "import os\ndef app(request): return b'%d' % len(os.listdir('/proc/self/task'))"
    with start(app, AT_IO).connect() as client:
        assert client.ask(b"how many?") == b"1"


def test_ctrl_c_interrupts_the_app_and_returns(start):
    app = """
        def app(request):
            try:
                print("called")
                while True:
                    pass
            finally:
                print("interrupted")
    """
    server = start(app, AT_IO)
    with server.connect() as client, server.connect() as idle:
        client.send(b"?")
        assert lines(server, 1) == ["called"]
        assert stop(server) == (["interrupted", "returned None"], "")
        assert client.receive() is None
        assert idle.receive() is None


def test_ctrl_c_while_an_error_is_reported_returns(start):
    before = """
        def report(*_):
            print("reporting")
            while True:
                pass
        sys.excepthook = report
    """
    server = start("def app(request): return 1 / 0", AT_IO, before)
    with server.connect() as client:
        client.send(b"?")
        assert lines(server, 1) == ["reporting"]
        assert stop(server) == (["returned None"], "")


SPINS = """
def spin(text):
    print(text)
    while True:
        pass
"""


def test_ctrl_c_while_a_logger_is_told_of_a_reply_that_is_none_returns(start):
    before = SPINS + """
class Logger:
    def exception(self, *_, **__):
        spin("telling")
"""
    server = start("def app(request): return 'text'", AT_IO + ", logger=Logger()", before)
    with server.connect() as client:
        client.send(b"?")
        assert lines(server, 1) == ["telling"]
        assert stop(server) == (["returned None"], "")


def test_ctrl_c_in_what_forgives_all_that_is_raised_returns(start):
    app = SPINS + """
class Slow(Exception):
    told = False
    def __str__(self):
        if not Slow.told:
            Slow.told = True
            spin("telling")
        return "slow"
def app(request):
    raise Slow
"""
    server = start(app, AT_IO)
    with server.connect() as client:
        client.send(b"?")
        assert lines(server, 1) == ["telling"]
        assert stop(server)[0] == ["returned None"]


def test_what_awaits_at_ctrl_c_is_answered(start):
    app = """
        import asyncio, os
        async def answer(request):
            print("called")
            return await asyncio.get_running_loop().run_in_executor(None, os.read, 0, 100) + request
        def app(request):
            return answer(request) if request == b"!" else request
    """
    server = start(app, AT_IO, NOTED)
    with server.connect() as client, server.connect() as other:
        client.send(b"!")
        assert lines(server, 1) == ["called"]
        assert other.ask(b"the thread is back from Python then") is not None
        server.signal(signal.SIGINT)
        assert lines(server, 1) == ["noted"]
        give(server, "answer")
        assert client.receive() == b"answer!"
    assert lines(server, 1) == ["returned None"]
    assert server.stderr() == ""


def test_an_error_after_one_ctrl_c_drops_nobody(start):
    app = SPINS + """
def app(request):
    if request == b"spin":
        spin("called")
    return {b"good": b"answer"}[request]
"""
    server = start(app, AT_IO, before=HOOK)
    with server.connect() as spins, server.connect() as fails, server.connect() as other:
        assert fails.ask(b"good") == other.ask(b"good") == b"answer"
        spins.send(b"spin")
        assert lines(server, 1) == ["called"]
        fails.send(b"bad")
        other.send_all([b"good"] * 5000)
        server.signal(signal.SIGINT)
        assert [other.receive() for _ in range(5000)] == [b"answer"] * 5000
        assert fails.receive() is None
    assert lines(server, 2) == ["KeyError b'bad' True ['app']", "returned None"]


def test_handlers_are_as_before_when_it_has_returned(start):
    before = """
        def handler(*_): pass
        signal.signal(signal.SIGUSR1, handler)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    """
    after = """
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler,
              signal.getsignal(signal.SIGUSR1) is handler, signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN,
              signal.getsignal(signal.SIGTERM) is set_by_app)
    """
    app = """
        import signal
        def set_by_app(*_): pass
        def app(request):
            signal.signal(signal.SIGTERM, set_by_app)
            return request
    """
    server = start(app, AT_IO, before + "    signal.signal(signal.SIGTERM, handler)\n", after)
    with server.connect() as client:
        assert client.ask(b"set it") == b"set it"
    assert stop(server)[0] == ["returned None", "True True True True"]


def test_what_a_signal_handler_raises_in_the_app_is_raised_by_serve(start):
    before = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    app = """
        def app(request):
            print("called")
            while True:
                pass
    """
    server = start(app, AT_IO, before)
    with server.connect() as client:
        client.send(b"?")
        assert lines(server, 1) == ["called"]
        server.signal(signal.SIGTERM)
        assert server.process.wait(WATCHDOG) == 7
        assert client.receive() is None


def test_an_error_ends_its_connection_only(start):
    server = start("def app(request): return {b'good': b'answer'}[request]", AT_IO)
    with server.connect() as one, server.connect() as other:
        assert one.ask(b"bad") is None
        assert other.ask(b"good") == b"answer"
    returned, errors = stop(server)
    assert returned == ["returned None"]
    assert errors.splitlines()[-1] == "KeyError: b'bad'"


@pytest.mark.parametrize("call", ["serve(bytes.upper, policy='held', home='io')",
                                  "serve(bytes.upper, threads=2, home='io')"])
def test_it_is_for_one_thread_that_gives_the_gil_away(call):
    run = run_python(call)
    assert run.stderr.splitlines()[-1] == (
        "ValueError: home 'io' is for one thread, and policy 'per_batch' or 'free_threaded'")


def test_it_is_for_functions():
    run = run_python("async def app(request): return request\nserve(app, port=0, home='io')")
    assert run.stderr.splitlines()[-1] == "TypeError: home 'io' is for a function, not for a coroutine function"
