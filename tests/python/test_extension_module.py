# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""The extension module, as a Python program sees it: each test runs one."""

import ast
import importlib.util
import os
import signal
import subprocess
import sys

import pytest

from extension import (ENDLESS, HOOK, NOTED, POLICIES, VERSION, WAIT, arguments_for, give, lines,  # noqa: F401
                       longest_timer, pytestmark, run_python, start, stop)
from harness import EXAMPLES, WATCHDOG, program, python_environment


@pytest.mark.parametrize("policy", POLICIES)
def test_it_answers_under_every_policy_and_ctrl_c_returns(start, policy):
    server = start("def app(request): return request.upper()", arguments_for(policy) + ", threads=2")
    with server.connect() as one, server.connect() as other:
        assert one.ask(b"hello") == b"HELLO"
        assert other.ask(bytes(65_535)) == bytes(65_535)
        one.send_all([b"%d a" % i for i in range(1000)])
        assert [one.receive() for _ in range(1000)] == [b"%d A" % i for i in range(1000)]
    assert stop(server) == (["returned None"], "")


def test_ctrl_c_stops_a_server_that_nobody_has_asked_anything(start):
    for policy in POLICIES:
        assert stop(start("def app(request): return request", arguments_for(policy))) == (["returned None"], "")


def test_ctrl_c_works_as_before_when_it_has_returned(start):
    after = """
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert stop(start("app = bytes.upper", after=after))[0] == ["returned None", "interrupted"]


@pytest.mark.parametrize("reply", ["bytearray(request)", "memoryview(request)[::1]", "__import__('array').array('B', request)"])
def test_a_reply_is_anything_with_the_buffer_protocol(start, reply):
    with start(f"def app(request): return {reply}").connect() as client:
        assert client.ask(b"hello") == b"hello"


def test_a_request_is_bytes_to_keep(start):
    app = "seen = []\ndef app(request):\n    seen.append(request)\n    return b' '.join(seen)"
    with start(app).connect() as client:
        client.ask(b"one")
        assert client.ask(b"two") == b"one two"


# A barrier: no request is answered before there are so many.
TOGETHER = """
import asyncio
waiting = []
async def app(request):
    waiting.append(asyncio.get_running_loop().create_future())
    if len(waiting) == {count}:
        for future in waiting:
            future.set_result(None)
    await waiting[-1]
    return request
"""


def test_coroutines_of_many_connections_await_at_once(start):
    server = start(TOGETHER.format(count=100))
    clients = [server.connect() for _ in range(100)]
    for i, client in enumerate(clients):
        client.send(b"%d" % i)
    assert [client.receive() for client in clients] == [b"%d" % i for i in range(100)]
    for client in clients:
        client.socket.close()
    assert stop(server) == (["returned None"], "")


@pytest.mark.parametrize("policy", POLICIES)
def test_coroutines_of_one_connection_await_at_once_and_are_answered_in_order(start, policy):
    with start(TOGETHER.format(count=8), arguments_for(policy)).connect() as client:
        requests = [b"%d" % i for i in range(8)]
        client.send_all(requests)
        assert [client.receive() for _ in requests] == requests


def test_replies_that_are_there_wait_for_those_of_coroutines_before_them(start):
    app = """
        import asyncio
        async def later(request):
            await asyncio.sleep(0)
            return request
        def app(request):
            return later(request) if request.startswith(b"later") else request
    """
    with start(app).connect() as client:
        requests = [b"one", b"later 1", b"two", b"later 2", b"three"]
        client.send_all(requests)
        assert [client.receive() for _ in requests] == requests


FAILS = """
def inner(request):
    raise KeyError(request)
def app(request):
    return inner(request)
"""


def test_an_error_reaches_excepthook_with_its_traceback_and_ends_its_connection_only(start):
    server = start(FAILS, before=HOOK)
    with server.connect() as client, server.connect() as neighbour:
        assert client.ask(b"x") is None
        assert lines(server, 1) == ["KeyError b'x' True ['app', 'inner']"]
        assert neighbour.ask(b"y") is None
    output, errors = stop(server)
    assert output == ["KeyError b'y' True ['app', 'inner']", "returned None"]
    assert errors == ""


def test_an_error_of_a_coroutine_is_no_different(start):
    server = start(FAILS.replace("def ", "async def ").replace("return inner", "return await inner"), before=HOOK)
    with server.connect() as client:
        assert client.ask(b"x") is None
    assert stop(server) == (["KeyError b'x' True ['app', 'inner']", "returned None"], "")


def test_replies_before_an_error_are_sent(start):
    with start("def app(request): return request[1 // len(request) - 1:]" , before=HOOK).connect() as client:
        client.send_all([b"a", b""])
        assert client.receive() == b"a"
        assert client.receive() is None


def test_without_a_hook_python_prints_the_error(start):
    server = start(FAILS)
    with server.connect() as client:
        assert client.ask(b"x") is None
    errors = stop(server)[1]
    assert errors.startswith("Traceback (most recent call last):")
    assert errors.endswith("KeyError: b'x'\n")
    assert errors.count("Traceback") == 1


def test_a_reply_that_is_none_is_an_error(start):
    server = start("def app(request): return 'text'", before=HOOK)
    with server.connect() as client:
        assert client.ask(b"x") is None
    assert stop(server)[0][0].startswith("TypeError expected bytes from the callable, got str")


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_reply_that_is_too_large_is_an_error(start, kind):
    server = start(kind + " app(request): return bytes(65_536 if request == b'too large' else 65_535)", before=HOOK)
    with server.connect() as client:
        client.send_all([b"large", b"too large"])
        assert client.receive() == bytes(65_535)
        assert client.receive() is None
    assert stop(server) == (["ValueError the reply is larger than 65535 bytes True []", "returned None"], "")


def test_sys_exit_in_the_app_is_an_error_as_any_other(start):
    server = start("import sys\ndef app(request): sys.exit(3)", before=HOOK)
    with server.connect() as client:
        assert client.ask(b"x") is None
    assert stop(server)[0] == ["SystemExit 3 True ['app']", "returned None"]


def test_a_hook_that_fails_is_printed(start):
    server = start(FAILS, before="def hook(*_): raise ValueError('the hook')\nsys.excepthook = hook")
    with server.connect() as client:
        assert client.ask(b"x") is None
    errors = stop(server)[1]
    assert "KeyError: b'x'" in errors
    assert "ValueError: the hook" in errors


def test_a_logger_is_told_once_and_excepthook_is_not(start):
    before = HOOK + "logging.basicConfig(stream=sys.stdout, format='%(name)s %(levelname)s %(message)s')"
    server = start(FAILS, "app, logger=logging.getLogger('mine')", before)
    with server.connect() as client:
        assert client.ask(b"x") is None
    output, errors = stop(server)
    assert output[0] == "mine ERROR the app failed"
    assert output[-2:] == ["KeyError: b'x'", "returned None"]
    assert errors == ""


# What starts it takes the line for the server's.
WAITS_IN_SUBINTERPRETER = """
import os, sys
if "async_resource_server" not in sys.modules:
    print("listening on nothing:0", flush=True)
    os.read(0, 100)
def app(request):
    return request
"""


def interrupt_until_it_ends(server):
    """How often that took. Its handler prints a line each time."""
    count = 0
    line = ["noted"]
    while line == ["noted"]:
        server.signal(signal.SIGINT)
        count += 1
        line = lines(server, 1)
    assert line == [""]
    assert server.process.wait(WATCHDOG) == -signal.SIGINT
    return count


@pytest.mark.skipif(VERSION < (3, 12), reason="own_gil needs Python 3.12")
class TestOwnGil:
    def test_an_error_has_its_name_and_its_traceback_as_text(self, start):
        before = "def hook(kind, error, trace): print(repr(error), repr(str(error.__cause__)))\nsys.excepthook = hook"
        server = start("def app(request): raise ValueError('no')", "'served:app', policy='own_gil'", before)
        with server.connect() as client:
            assert client.ask(b"x") is None
        report = stop(server)[0][0]
        assert report.startswith("ValueError('no') ")
        assert "served.py" in report

    def test_no_name_of_an_error_hides_it(self, start):
        app = """
            class Reported(Exception):
                pass
            def app(request):
                raise Reported("no")
        """
        server = start(app, "'served:app', policy='own_gil'", HOOK)
        with server.connect() as client:
            assert client.ask(b"x") is None
        assert stop(server)[0][0].startswith("RuntimeError Reported: no ")

    def test_what_the_import_raises_serve_raises(self):
        run = run_python("serve('nowhere:app', policy='own_gil')")
        assert run.returncode == 1
        assert run.stderr.splitlines()[-1].startswith("ModuleNotFoundError: No module named 'nowhere'")

    def test_ctrl_c_while_the_app_is_imported_returns_when_it_has_been(self, start):
        server = start(WAITS_IN_SUBINTERPRETER, "'served:app', policy='own_gil'", NOTED)
        server.signal(signal.SIGINT)
        assert lines(server, 1) == ["noted"]
        give(server, "go on")
        assert lines(server, 1) == ["returned None"]

    def test_ctrl_c_while_the_app_is_imported_hides_no_error_of_that(self, start):
        app = WAITS_IN_SUBINTERPRETER + "if 'async_resource_server' not in sys.modules: raise ValueError('no app')\n"
        server = start(app, "'served:app', policy='own_gil'", NOTED)
        server.signal(signal.SIGINT)
        assert lines(server, 1) == ["noted"]
        give(server, "go on")
        assert server.process.wait(WATCHDOG) == 1
        assert server.stderr().splitlines()[-1].startswith("ValueError: no app")

    def test_ctrl_c_after_the_second_ends_an_import_that_does_not(self, start):
        server = start(WAITS_IN_SUBINTERPRETER, "'served:app', policy='own_gil'", NOTED)
        assert interrupt_until_it_ends(server) >= 3

    def test_the_module_of_the_app_may_import_this_one(self, start):
        app = "from async_resource_server import serve\ndef app(request): return serve.__name__.encode()"
        with start(app, "'served:app', policy='own_gil'").connect() as client:
            assert client.ask(b"x") == b"serve"


@pytest.mark.parametrize("policy", POLICIES)
def test_a_request_that_is_under_way_at_ctrl_c_is_answered(start, policy):
    before = """
        def noted(*arguments):
            print("noted")
            signal.default_int_handler(*arguments)
        signal.signal(signal.SIGINT, noted)
    """
    server = start(WAIT, arguments_for(policy), before)
    with server.connect() as client:
        client.send(b"!")
        assert lines(server, 1) == ["called"]
        server.signal(signal.SIGINT)
        assert lines(server, 1) == ["noted"]
        give(server, "answer")
        assert client.receive() == b"answer!"
    assert lines(server, 1) == ["returned None"]


# Asio wakes up every five minutes where no timer does.
@pytest.mark.parametrize("arguments, least, most", [("app", 240, 300), ("app, drain_timeout=100", 40, 100)])
def test_a_request_that_is_under_way_has_time_without_limit_unless_one_is_given(start, arguments, least, most):
    server = start(WAIT, arguments)
    with server.connect() as client, server.connect() as idle:
        client.send(b"!")
        assert lines(server, 1) == ["called"]
        server.signal(signal.SIGINT)
        assert idle.receive() is None
        assert least <= longest_timer(server) <= most
        give(server, "answer")
        assert client.receive() == b"answer!"


def test_what_takes_longer_than_drain_timeout_is_interrupted(start):
    server = start(ENDLESS, "app, drain_timeout=1e-3")
    with server.connect() as client:
        client.send(b"x")
        assert lines(server, 1) == ["called"]
        assert stop(server)[0] == ["returned None"]
        assert client.receive() is None


@pytest.mark.parametrize("policy", POLICIES)
def test_a_second_ctrl_c_interrupts_an_app_that_never_returns(start, policy):
    server = start(ENDLESS, arguments_for(policy), NOTED)
    with server.connect() as client, server.connect() as idle:
        client.send(b"x")
        assert lines(server, 1) == ["called"]
        server.signal(signal.SIGINT)
        assert idle.receive() is None  # sent while Python still calls the handler, the second would be one with the first
        server.signal(signal.SIGINT)
        assert lines(server, 3) == ["noted", "noted", "returned None"]
    assert server.process.wait(WATCHDOG) == 0


@pytest.mark.parametrize("policy", POLICIES)
def test_ctrl_c_after_the_second_ends_a_process_whose_app_is_inside_c_code(start, policy):
    app = "import time\ndef app(request):\n    print('called')\n    time.sleep(3600)"
    server = start(app, arguments_for(policy), NOTED)
    with server.connect() as client:
        client.send(b"x")
        assert lines(server, 1) == ["called"]
        assert interrupt_until_it_ends(server) >= 3


@pytest.mark.parametrize("policy", POLICIES)
def test_a_handler_that_returns_does_not_stop_it_and_one_that_raises_does(start, policy):
    before = """
        signal.signal(signal.SIGUSR1, lambda *_: print("noted"))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
    """
    server = start("app = lambda request: request.upper()", arguments_for(policy), before)
    with server.connect() as client:
        for _ in range(3):
            assert client.ask(b"still") == b"STILL"
            server.signal(signal.SIGUSR1)
            assert lines(server, 1) == ["noted"]
        server.signal(signal.SIGTERM)
        assert client.receive() is None
        assert server.process.wait(WATCHDOG) == 5


def test_other_threads_of_python_run_while_it_serves(start):
    server = start("app = bytes.upper", before="""
        threading.Thread(target=lambda: sys.stdin.readline() and print("alive")).start()
    """)
    give(server, "go\n")
    assert lines(server, 1) == ["alive"]
    stop(server)


def test_it_may_serve_again(start):
    server = start("app = bytes.upper", after="print('returned', serve(bytes.lower, port=0))")
    with server.connect() as client:
        assert client.ask(b"One") == b"ONE"
    server.signal(signal.SIGINT)
    assert lines(server, 1) == ["returned None"]
    assert lines(server, 1)[0].startswith("listening on ")
    assert stop(server)[0] == ["returned None"]


def test_another_thread_is_refused():
    run = run_python("""
def run():
    try:
        serve(len, port=0)
    except RuntimeError as error:
        print(error)
threading.Thread(target=run).start()
""")
    assert run.returncode == 0
    assert run.stdout == "serve() must be called from the main thread, to be stopped by Ctrl-C\n"


@pytest.mark.parametrize("call, expected", [
    ("serve(1)", "TypeError: app must be callable; a str"),
    ("serve()", "TypeError: "),
    ("serve(len, port=65536)", "ValueError: port must be 0 to 65535"),
    ("serve(len, port=-1)", "ValueError: port must be 0 to 65535"),
    ("serve(len, port=2**70)", "ValueError: port must be 0 to 65535"),
    ("serve(len, port='http')", "TypeError: "),
    ("serve(len, port=1.5)", "TypeError: "),
    ("serve(len, threads=0)", "ValueError: threads must be 1 to 1000"),
    ("serve(len, threads=2**70)", "ValueError: threads must be 1 to 1000"),
    ("serve(len, host='')", "ValueError: host must not be empty"),
    ("serve(len, host='256.0.0.1.')", "OSError: "),
    ("serve(len, unknown=1)", "TypeError: "),
    ("serve(len, policy='none')", "ValueError: policy must be 'per_batch', 'held', 'own_gil' or 'free_threaded'"),
    ("serve(len, policy='own_gil')", "TypeError: with policy 'own_gil' app must be a str, 'module:attribute'"),
    ("serve('module:app')", "TypeError: app must be callable"),
    ("serve(len, drain_timeout=0)", "ValueError: drain_timeout must be None or a positive number of seconds"),
    ("serve(len, drain_timeout=float('nan'))", "ValueError: drain_timeout must be None or a positive number"),
    ("serve(len, drain_timeout='5')", "TypeError: "),
    ("serve(len, '::1', 0, 1, 'held', None, 'thread', 5)", "TypeError: "),
    ("serve(len, logger=print)", "TypeError: logger must have a method exception()"),
])
def test_what_makes_no_sense_raises(call, expected):
    run = run_python(call)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(expected)


def test_a_port_in_use_is_an_os_error_with_its_number():
    run = run_python("""
import errno, socket
with socket.create_server(("127.0.0.1", 0)) as taken:
    try:
        serve(len, port=taken.getsockname()[1])
    except OSError as error:
        print(error.errno == errno.EADDRINUSE, "in use" in str(error))
""")
    assert run.stdout == "True True\n"


def test_a_policy_that_this_python_lacks_is_a_value_error():
    lacking = ("serve('module:app', policy='own_gil')" if VERSION < (3, 12) else "serve(len, policy='free_threaded')")
    gil = run_python("print(getattr(sys, '_is_gil_enabled', bool)())").stdout
    if VERSION >= (3, 12) and gil == "False\n" and "t" in run_python("print(sys.abiflags)").stdout:
        pytest.skip("this Python has every policy")
    run = run_python(lacking)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("ValueError: gil_policy::")
    assert "; this is CPython " in run.stderr


STUB = os.path.join(EXAMPLES, "3_python", "async_resource_server.pyi")


def test_help_reads_well_and_the_stub_says_the_same():
    run = run_python("import inspect; print(*inspect.signature(serve).parameters);"
                     "print(serve.__name__ + str(inspect.signature(serve))); print(serve.__doc__); help(serve)")
    assert run.returncode == 0
    names, signature, text = run.stdout.split("\n", 2)
    assert signature == ("serve(app, host='127.0.0.1', port=8888, threads=1, policy='per_batch', logger=None, "
                         "home='thread', *, drain_timeout=None)")
    assert text.startswith("Answer each frame that arrives with what app(request) returns.\n\n")
    with open(STUB, encoding="utf-8") as file:
        stub = ast.parse(file.read())
    overloads = [node for node in stub.body if isinstance(node, ast.FunctionDef)]
    assert len(overloads) == 5
    for each in overloads:
        assert [argument.arg for argument in each.args.args + each.args.kwonlyargs] == names.split()


def test_the_stub_lies_beside_the_module():
    assert os.path.exists(os.path.join(program("3_python"), "async_resource_server.pyi"))


def mypy(directory, *arguments, **environment):
    return subprocess.run([sys.executable, "-m", *arguments], cwd=directory, capture_output=True, text=True,
                          timeout=WATCHDOG, env={**os.environ, "MYPYPATH": os.path.dirname(STUB), **environment})


with_mypy = pytest.mark.skipif(not importlib.util.find_spec("mypy"), reason="without mypy")


@with_mypy
@pytest.mark.skipif(VERSION != sys.version_info[:2] or bool(os.environ.get("PRELOAD")),
                    reason="the Python that has mypy cannot import the module")
def test_the_stub_has_what_the_module_has(tmp_path):
    run = mypy(tmp_path, "mypy.stubtest", "async_resource_server", **python_environment())
    assert run.returncode == 0, run.stdout + run.stderr


@with_mypy
@pytest.mark.parametrize("call, right", [
    ("serve(function, '::1', 0, 2, 'held')", True),
    ("serve(coroutine, logger=logging.getLogger())", True),
    ("serve('module:app', policy='own_gil')", True),
    ("serve(function, threads=1, home='io')", True),
    ("serve('module:app', '::1', 0, 2, 'own_gil', None, 'thread')", True),
    ("serve(function, '::1', 0, 1, 'per_batch', None, 'io', drain_timeout=2)", True),
    ("serve(coroutine, drain_timeout=0.5)", True),
    ("serve(function, '::1', 0, 2, 'per_batch', None, 'io')", False),
    ("serve(function, '::1', 0, 2, 'own_gil')", False),
    ("serve(function, '::1', 0, 1, 'per_batch', None, 'thread', 2)", False),
    ("serve(function, policy='held', home='io')", False),
    ("serve('module:app')", False),
    ("serve(coroutine, policy='own_gil')", False),
    ("serve(function, policy='none')", False),
])
def test_mypy_knows_right_from_wrong(tmp_path, call, right):
    (tmp_path / "program.py").write_text(
        "import logging\nfrom async_resource_server import serve\n"
        "def function(request: bytes) -> bytearray: return bytearray(request)\n"
        f"async def coroutine(request: bytes) -> bytes: return request\n{call}\n")
    run = mypy(tmp_path, "mypy", "--strict", "--cache-dir", str(tmp_path), "program.py")
    assert (run.returncode == 0) == right, run.stdout + run.stderr
