# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""serve(home='io'): the app on the thread that reads and writes."""

import signal

import pytest

from extension import lines, pytestmark, run_python, start, stop  # noqa: F401
from harness import WATCHDOG


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
