// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/python.hpp>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <async_resource/pool.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <exception>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support.hpp"

using namespace python_test;
using python::gil_policy;

namespace {

constexpr asyncres::python_options with(gil_policy policy) {
  return {.gil = policy};
}

constexpr auto echo = "def echo(request): return request\n";

// What a policy that this CPython lacks is refused with, or nothing.
std::string refusal_of(gil_policy policy) {
  environment world(echo);
  asio::thread_pool pool(1);
  try {
    const asyncres::python_app app(pool, world.python(), "app:echo", with(policy));
    return {};
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a callable serves under every policy, one thread being home", "[python][policies]",
                   asio::io_context, asio::thread_pool) {
  for (const auto policy : policies()) {
    environment world(echo);
    running<TestType> home;
    const asyncres::python_app app(home.context(), world.python(), "app:echo", with(policy));
    CHECK_NOTHROW(wait(load(app)).get());
    for (int i = 0; i != 200; ++i) CHECK(ask(app, std::to_string(i)) == std::to_string(i));
  }
}

TEST_CASE("an interpreter goes down under every policy, with home running and calls on their way",
          "[python][policies]") {
  for (const auto policy : policies()) {
    environment world(echo);
    running<asio::thread_pool> home;
    const asyncres::python_app app(home.context(), world.python(), "app:echo", with(policy));
    CHECK(ask(app, "x") == "x");
    std::vector<std::future<outcome>> calls;
    for (int i = 0; i != 100; ++i) calls.push_back(call(app, "y"));
    auto kept = get(call(app, "kept"));
    world.stop();
    for (auto& each : calls) CHECK_NOTHROW(wait(std::move(each)));
    CHECK(to_string(kept) == "kept");
    CHECK(error_of(app).type() == "RuntimeError");
  }
}

TEST_CASE("an app goes away under every policy, and the interpreter serves another one", "[python][policies]") {
  for (const auto policy : policies()) {
    environment world(echo);
    for (int i = 0; i != 3; ++i) {
      running<asio::thread_pool> home;
      const asyncres::python_app app(home.context(), world.python(), "app:echo", with(policy));
      CHECK(ask(app, "x") == "x");
    }
  }
}

TEST_CASE("a policy that this CPython lacks is refused when it is chosen", "[python][policies]") {
#if PY_VERSION_HEX < 0x030C0000
  CHECK(refusal_of(gil_policy::own_gil) ==
        "gil_policy::own_gil needs CPython 3.12 or later; this is CPython " PY_VERSION);
#else
  CHECK(refusal_of(gil_policy::own_gil) == "");
#endif
#ifndef Py_GIL_DISABLED
  CHECK(refusal_of(gil_policy::free_threaded) ==
        "gil_policy::free_threaded needs a CPython built with --disable-gil; this is CPython " PY_VERSION);
#endif
}

TEST_CASE("per_batch lets other Python threads run between visits", "[python][policies]") {
  environment world(leaves_a_thread);
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run");
  event pause, done;
  ask(app, descriptors(pause, done));
  pause.set();
  done.wait();
}

TEST_CASE("a GIL that is held is let go when the interpreter goes down, also by a home that sleeps",
          "[python][policies]") {
  environment world(echo);
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:echo", with(gil_policy::held));
  for (int i = 0; i != 10; ++i) CHECK(ask(app, "x") == "x");
  world.stop();
  world.start();
  const asyncres::python_app next(home, world.python(), "app:echo", with(gil_policy::held));
  for (int i = 0; i != 10; ++i) CHECK(ask(next, "x") == "x");
}

TEST_CASE("a second home that would hold the same GIL is refused, from its first call on", "[python][policies]") {
  environment world(echo);
  asio::thread_pool first(1), second(1);
  std::optional<asyncres::python_app<asio::thread_pool::executor_type>> app(std::in_place, first, world.python(),
                                                                            "app:echo", with(gil_policy::held));
  CHECK(ask(*app, "x") == "x");
  const asyncres::python_app other(second, world.python(), "app:echo", with(gil_policy::held));
  for (int i = 0; i != 3; ++i)
    CHECK(std::string(error_of(other).what()).starts_with("gil_policy::held: another thread keeps the GIL"));
  CHECK(error_of(load(other)).type() == "RuntimeError");
  app.reset();
  first.join();
  CHECK(ask(other, "x") == "x");
}

TEST_CASE("a home of two threads that would both hold the GIL fails calls, and none waits for ever",
          "[python][policies]") {
  environment world("async def later(request): return request\ndef echo(request): return request\n");
  for (const std::string target : {"app:echo", "app:later"}) {
    asio::thread_pool home(2);
    const asyncres::python_app app(home, world.python(), target, with(gil_policy::held));
    for (int i = 0; i != 200; ++i) {
      std::promise<std::string> answered;
      auto answer = answered.get_future();
      app.async_call(asio::buffer("x", 1), [&](std::exception_ptr e, const python::reply& reply) {
        outcome came(std::exchange(e, nullptr));
        try {
          std::move(came).get();
          answered.set_value(to_string(reply));
        } catch (const python::error& error) {
          answered.set_value(error.what());
        }
      });
      const std::string what = wait(std::move(answer));
      if (what != "x") CHECK(what.starts_with("gil_policy::held: another thread keeps the GIL"));
    }
  }
}

TEST_CASE("an interpreter of its own finds modules where the main one does, be its path a list or not",
          "[python][policies]") {
  const auto available = policies();
  if (std::ranges::find(available, gil_policy::own_gil) == available.end()) SKIP("this CPython lacks the policy");
  environment world(R"(
import sys
def echo(request): return request
def change_path(request):
    sys.path = tuple(sys.path)
    return b'changed'
)");
  asio::thread_pool home(1);
  const asyncres::python_app changes(home, world.python(), "app:change_path");
  CHECK(ask(changes) == "changed");
  const asyncres::python_app app(home, world.python(), "app:echo", with(gil_policy::own_gil));
  CHECK(ask(app, "x") == "x");
}

TEST_CASE("a GIL that is held is given away with the callable, by a thread that goes on", "[python][policies]") {
  environment world(echo);
  asio::thread_pool home(1);
  for (const bool closes : {true, false}) {
    asio::thread_pool other(1);
    {
      const asyncres::python_app app(home, world.python(), "app:echo", with(gil_policy::held));
      CHECK(ask(app, "x") == "x");
      if (closes) {
        std::promise<void> closed;
        app.resource().async_close([&](std::error_code) { closed.set_value(); });
        wait(closed.get_future());
      }
    }
    const asyncres::python_app next(other, world.python(), "app:echo");
    CHECK(ask(next, "y") == "y");
  }
}

TEST_CASE("the thread that destroys the interpreter may be the one that held the GIL", "[python][policies]") {
  environment world(echo);
  {
    asio::io_context home;
    const asyncres::python_app app(home, world.python(), "app:echo", with(gil_policy::held));
    auto reply = call(app, "x");
    home.run();
    CHECK(to_string(get(std::move(reply))) == "x");
    home.restart();
  }
  asio::io_context home;
  const asyncres::python_app app(home, world.python(), "app:echo", with(gil_policy::held));
  auto reply = call(app, "x");
  home.run();
  CHECK(to_string(get(std::move(reply))) == "x");
  world.stop();
}

#if PY_VERSION_HEX >= 0x030C0000

TEST_CASE("callables with own_gil share no state", "[python][policies]") {
  environment world(
      "calls = 0\ndef count(request):\n    global calls\n    calls += 1\n    return str(calls).encode()\n");
  asio::thread_pool pool(2);
  const asyncres::python_app a(pool, world.python(), "app:count", with(gil_policy::own_gil));
  const asyncres::python_app b(pool, world.python(), "app:count", with(gil_policy::own_gil));
  CHECK(ask(a) == "1");
  CHECK(ask(a) == "2");
  CHECK(ask(b) == "1");
}

TEST_CASE("two callables with own_gil run at once", "[python][policies]") {
  // Each waits for the other by bytecode alone, and gives no GIL away.
  environment world(R"(
import mmap, sys
sys.setswitchinterval(1000)
def meet(request):
    path, mine, other = request.decode().split()
    with open(path, 'r+b') as file, mmap.mmap(file.fileno(), 2) as flags:
        flags[int(mine)] = 1
        while not flags[int(other)]:
            pass
    return b'met'
)");
  world.folder().add("flags", std::string_view("\0\0", 2));
  const auto path = world.folder().path() + "/flags.py ";
  asio::thread_pool pool(2);
  const asyncres::python_app a(pool, world.python(), "app:meet", with(gil_policy::own_gil));
  const asyncres::python_app b(pool, world.python(), "app:meet", with(gil_policy::own_gil));
  const auto to_a = path + "0 1", to_b = path + "1 0";
  auto from_a = call(a, to_a);
  auto from_b = call(b, to_b);
  CHECK(to_string(get(std::move(from_a))) == "met");
  CHECK(to_string(get(std::move(from_b))) == "met");
}

TEST_CASE("a thread remembers nothing of an interpreter with own_gil that another thread has ended",
          "[python][policies]") {
  environment world(echo);
  asio::io_context home;
  std::optional<asyncres::python_app<asio::io_context::executor_type>> app(std::in_place, home, world.python(),
                                                                           "app:echo", with(gil_policy::own_gil));
  const auto run_elsewhere = [&home] {
    std::thread([&home] { home.run(); }).join();
    home.restart();
  };
  auto loaded = load(*app);
  run_elsewhere();
  CHECK_NOTHROW(wait(std::move(loaded)).get());
  auto reply = call(*app, "x");
  home.run();
  home.restart();
  CHECK(to_string(get(std::move(reply))) == "x");
  app.reset();
  run_elsewhere();
  CHECK(PyGILState_GetThisThreadState() == nullptr);
}

TEST_CASE("a pool of interpreters loads the callable in each", "[python][policies][pool]") {
  environment world(
      "calls = 0\ndef count(request):\n    global calls\n    calls += 1\n    return str(calls).encode()\n");
  asio::thread_pool threads(2);
  const auto make = [&](std::size_t) {
    return python::callable(world.python(), "app:count", with(gil_policy::own_gil));
  };
  asyncres::async_resource_pool<asio::thread_pool::executor_type, python::callable> pool(threads, 2, make);
  for (std::size_t key = 0; key != 2; ++key)
    for (int i = 1; i != 4; ++i) {
      std::promise<std::string> promise;
      auto future = promise.get_future();
      const auto count = [&pool](python::callable& callable) { return callable(asio::const_buffer(), pool); };
      pool.async_invoke_on(key, count, [&](std::exception_ptr e, python::reply reply) {
        e ? promise.set_exception(e) : promise.set_value(to_string(reply));
      });
      CHECK_NOTHROW(wait(std::move(future)));
    }
}

TEST_CASE("a module that refuses sub-interpreters is reported by name, with what to do", "[python][policies]") {
  for (const std::string module : {"readline", "_testsinglephase"}) {
    environment world("import " + module + "\ndef run(request): return request\n");
    asio::thread_pool pool(1);
    const asyncres::python_app app(pool, world.python(), "app:run", with(gil_policy::own_gil));
    try {
      ask(app, "x");
      SUCCEED("this CPython's supports them");
    } catch (const python::error& e) {
      if (e.type() == "ModuleNotFoundError") continue;
      CHECK(e.type() == "ImportError");
      CHECK(std::string(e.what()).find(module) != std::string::npos);
      CHECK(std::string(e.what()).find("own_gil") != std::string::npos);
    }
  }
}

TEST_CASE("an import error that is not about sub-interpreters is left as it is", "[python][policies]") {
  environment world("from os import nothing\n");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run", with(gil_policy::own_gil));
  const auto e = error_of(app);
  CHECK(e.type() == "ImportError");
  CHECK(std::string(e.what()).starts_with("cannot import name 'nothing' from 'os'"));
  CHECK(std::string(e.what()).find("own_gil") == std::string::npos);
}

#endif
