// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/python.hpp>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support.hpp"

using namespace python_test;
using python::gil_policy;

namespace {

constexpr auto spinning = R"(
import os
def run(request):
    os.write(int(request), b'.')
    while True:
        pass
)";

constexpr auto with_daemons = R"(
import os, threading
def wait(started, for_ever):
    os.write(started, b'.')
    os.read(for_ever, 1)
def compute(started):
    os.write(started, b'.')
    while True:
        pass
def run(request):
    pause, started = map(int, request.split())
    threading.Thread(target=wait, args=(started, pause), daemon=True).start()
    threading.Thread(target=compute, args=(started,), daemon=True).start()
    return b'done'
)";

asyncres::python_options with(gil_policy policy) {
  return {.gil = policy};
}

// Done, or told that the interpreter is gone.
bool is_settled(std::future<outcome> call) try {
  return to_string(get(std::move(call))) == "done";
} catch (const python::error& e) {
  return std::string(e.what()) == "the Python interpreter is gone";
}

// What atexit() calls: nothing else outlives main().
std::unique_ptr<environment> until_exit;

}  // namespace

TEST_CASE("an interpreter goes down with a call running and others queued or abandoned, under every policy",
          "[python][whole_life]") {
  for (const auto policy : policies()) {
    environment world(blocking);
    running<asio::thread_pool> home;
    std::optional<asyncres::python_app<asio::thread_pool::executor_type>> app(std::in_place, home.context(),
                                                                              world.python(), "app:run", with(policy));
    event pause, runs;
    const auto request = descriptors(pause, runs);
    auto first = call(*app, request);
    runs.wait();
    std::vector<std::future<outcome>> queued;
    for (int i = 0; i != 100; ++i) queued.push_back(call(*app));
    app.reset();
    std::thread down([&] { world.stop(); });
    pause.set();
    CHECK(is_settled(std::move(first)));
    for (auto& each : queued) CHECK(is_settled(std::move(each)));
    down.join();
  }
}

TEST_CASE("a home that is destroyed with calls queued leaves the interpreter to go down, under every policy",
          "[python][whole_life]") {
  for (const auto policy : policies()) {
    environment world(blocking);
    {
      asio::io_context home;
      const asyncres::python_app app(home, world.python(), "app:run", with(policy));
      for (int i = 0; i != 10; ++i) app.async_call({}, [](std::exception_ptr, python::reply) { FAIL("completed"); });
    }
    world.stop();
  }
}

TEST_CASE("an interpreter goes down from a handler of atexit()", "[python][whole_life]") {
  const int status = status_of_child([] {
    std::atexit([] { until_exit.reset(); });
    until_exit = std::make_unique<environment>(blocking);
    asio::thread_pool home(1);
    const asyncres::python_app app(home, until_exit->python(), "app:run");
    std::exit(ask(app) == "done" ? 0 : 1);
  });
  CHECK(status == 0);
}

TEST_CASE("a handler of atexit() may call Python through PyGILState, after other threads have called",
          "[python][whole_life]") {
  environment world(R"(
import atexit, ctypes, os
def run(request):
    foreign = ctypes.PYFUNCTYPE(ctypes.c_int)(lambda: 42)  # called with the GIL held
    atexit.register(lambda: os.write(int(request), b'.' * (foreign() == 42)))
    return b'registered'
)");
  asio::thread_pool pool(1);
  event called;
  const asyncres::python_app app(pool, world.python(), "app:run");
  CHECK(ask(app, std::to_string(called.write_end())) == "registered");
  world.stop();
  called.wait();
}

TEST_CASE("an interpreter goes down when a signal comes, with calls on their way", "[python][whole_life]") {
  environment world(blocking);
  running<asio::thread_pool> home;
  const asyncres::python_app app(home.context(), world.python(), "app:run");
  asio::io_context context;
  asio::signal_set signals(context, SIGUSR1);
  event pause, runs;
  const auto request = descriptors(pause, runs);
  auto first = call(app, request);
  runs.wait();
  std::vector<std::future<outcome>> queued;
  for (int i = 0; i != 10; ++i) queued.push_back(call(app));
  signals.async_wait([&](std::error_code, int) {
    pause.set();
    world.stop();
  });
  std::raise(SIGUSR1);
  context.run();
  CHECK(to_string(get(std::move(first))) == "done");
  for (auto& each : queued) CHECK(is_settled(std::move(each)));
}

TEST_CASE("an interpreter goes down twice in a process, with a home that outlives both", "[python][whole_life]") {
  for (const auto policy : policies()) {
    environment world(blocking);
    running<asio::thread_pool> home;
    for (int i = 0; i != 2; ++i) {
      const asyncres::python_app app(home.context(), world.python(), "app:run", with(policy));
      CHECK(ask(app) == "done");
      world.stop();
      CHECK(error_of(app).type() == "RuntimeError");
      world.start();
    }
  }
}

// In a process of its own: Python's daemon threads do not survive the start of another interpreter.
TEST_CASE("an interpreter goes down with daemon threads that wait, and that compute", "[python][whole_life]") {
  const int status = status_of_child([] {
    environment world(with_daemons);
    event never, started;
    asio::thread_pool home(1);
    const asyncres::python_app app(home, world.python(), "app:run");
    ask(app, descriptors(never, started));
    started.wait();
    started.wait();
    world.stop();
    std::_Exit(0);
  });
  CHECK(status == 0);
}

TEST_CASE("sys.exit in a callable is an error of that call", "[python][whole_life]") {
  for (const auto policy : policies()) {
    environment world("import sys\ndef run(request):\n    return sys.exit(3) if request else b'here'\n");
    asio::thread_pool home(1);
    const asyncres::python_app app(home, world.python(), "app:run", with(policy));
    const auto error = error_of(app, "x");
    CHECK(error.type() == "SystemExit");
    CHECK(std::string(error.what()) == "3");
    CHECK(ask(app) == "here");
  }
}

TEST_CASE("a callable that never returns is interrupted by cancel(), and the interpreter goes down",
          "[python][whole_life]") {
  for (const auto policy : policies()) {
    environment world(spinning);
    asio::thread_pool home(1);
    const asyncres::python_app app(home, world.python(), "app:run", with(policy));
    event runs;
    const auto request = std::to_string(runs.write_end());
    auto endless = call(app, request);
    runs.wait();
    app.resource().cancel();
    world.stop();
    CHECK_THROWS(get(std::move(endless)));
  }
}

TEST_CASE("a module that fails on import is imported again by the next load", "[python][whole_life]") {
  for (const auto policy : policies()) {
    environment world(R"(
import os
if not os.path.exists(os.path.join(os.path.dirname(__file__), 'ready.py')):
    raise ImportError('not yet')
def run(request): return request
)");
    asio::thread_pool home(1);
    const asyncres::python_app app(home, world.python(), "app:run", with(policy));
    CHECK(error_of(load(app)).type() == "ImportError");
    CHECK(error_of(app, "x").type() == "ImportError");
    world.folder().add("ready", "");
    CHECK_NOTHROW(wait(load(app)).get());
    CHECK(ask(app, "x") == "x");
  }
}

TEST_CASE("a callable may fork: the child ends by os._exit, and calls go on", "[python][whole_life]") {
  environment world(R"(
import os
def run(request):
    child = os.fork()
    if child == 0:
        os._exit(7)
    _, status = os.waitpid(child, 0)
    return str(status >> 8).encode()
)");
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run");
  for (int i = 0; i != 3; ++i) CHECK(ask(app) == "7");
}

TEST_CASE("while an extension has let go of the GIL, another app runs", "[python][whole_life]") {
  for (const auto policy : policies()) {
    if (policy == gil_policy::held) continue;
    environment world(blocking);
    asio::thread_pool first(1), second(1);
    const asyncres::python_app waits(first, world.python(), "app:run", with(policy));
    const asyncres::python_app other(second, world.python(), "app:run", with(policy));
    event pause, runs;
    const auto request = descriptors(pause, runs);
    auto waiting = call(waits, request);
    runs.wait();
    CHECK(ask(other) == "done");
    pause.set();
    CHECK(to_string(get(std::move(waiting))) == "done");
  }
}
