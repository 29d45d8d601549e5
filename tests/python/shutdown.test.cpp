// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support.hpp"

#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <atomic>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace python_test;

namespace {

bool is_gone(const python::error& e) {
  return e.type() == "RuntimeError" && std::string(e.what()) == "the Python interpreter is gone" &&
         e.traceback().empty();
}

// Calls that are one in a queue, behind one that blocks.
struct blocked_calls {
  explicit blocked_calls(const auto& app) {
    first = call(app, request);
    running.wait();
    for (int i = 0; i < 100; ++i) queued.push_back(call(app));
  }

  event pause, running;
  std::string request = descriptors(pause, running);
  std::future<outcome> first;
  std::vector<std::future<outcome>> queued;
};

}  // namespace

TEMPLATE_TEST_CASE("an interpreter that goes down lets the running call finish and fails the queued ones",
                   "[python][shutdown]", asio::io_context, asio::thread_pool) {
  environment world(blocking);
  running<TestType> home(2);
  const asyncres::python_app app(home.context(), world.python(), "app:run");
  const asyncres::python_app other(home.context(), world.python(), "app:run");
  blocked_calls calls(app);

  std::thread down([&] { world.stop(); });
  try {
    while (true) ask(other);
  } catch (const python::error& e) {
    CHECK(is_gone(e));
  }
  calls.pause.set();
  CHECK(to_string(get(std::move(calls.first))) == "done");
  for (auto& call : calls.queued) CHECK(is_gone(error_of(std::move(call))));
  down.join();
  CHECK(is_gone(error_of(app)));
  CHECK(is_gone(error_of(load(app))));
}

TEST_CASE("calls queued at a home that nobody runs find the interpreter gone", "[python][shutdown]") {
  environment world(blocking);
  asio::io_context home;
  const asyncres::python_app app(home, world.python(), "app:run");
  std::vector<std::future<outcome>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(call(app));
  world.stop();
  home.run();
  for (auto& call : calls) CHECK(is_gone(error_of(std::move(call))));
}

TEST_CASE("calls queued at a home that never runs keep nobody", "[python][shutdown]") {
  environment world(blocking);
  asio::io_context home;
  const asyncres::python_app app(home, world.python(), "app:run");
  auto queued = call(app);
  world.stop();
}

TEST_CASE("an interpreter that goes down under load fails no call but with that error", "[python][shutdown]") {
  for (int round = 0; round < 5; ++round) {
    environment world(blocking);
    running<asio::thread_pool> home(2);
    const asyncres::python_app app(home.context(), world.python(), "app:run");
    std::atomic<int> done = 0, gone = 0, wrong = 0;
    std::vector<std::thread> callers;
    event under_way;
    for (int t = 0; t < 4; ++t) {
      callers.emplace_back([&] {
        try {
          while (true) {
            ask(app);
            if (++done == 50) under_way.set();
          }
        } catch (const python::error& e) {
          ++(is_gone(e) ? gone : wrong);
        } catch (...) {
          ++wrong;
        }
      });
    }
    under_way.wait();
    world.stop();
    for (auto& caller : callers) caller.join();
    CHECK(gone == 4);
    CHECK(wrong == 0);
  }
}

TEST_CASE("apps, callables and replies outlive the interpreter", "[python][shutdown]") {
  environment world(blocking);
  asio::thread_pool pool(1);
  std::optional<asyncres::python_app<asio::thread_pool::executor_type>> app(std::in_place, pool, world.python(),
                                                                            "app:run");
  std::optional<python::callable> callable(std::in_place, world.python(), "app:run");
  callable->load();
  auto reply = get(call(*app));
  auto moved = get(call(*app));
  world.stop();
  CHECK(to_string(reply) == "done");
  app.reset();
  callable.reset();
  reply = std::move(moved);
  CHECK(to_string(reply) == "done");
}

TEST_CASE("an app of an interpreter that is gone does not reach the next one", "[python][shutdown]") {
  environment world(blocking);
  asio::thread_pool pool(1);
  const asyncres::python_app old(pool, world.python(), "app:run");
  auto reply = get(call(old));
  world.stop();
  world.start();
  const asyncres::python_app app(pool, world.python(), "app:run");
  CHECK(is_gone(error_of(old)));
  CHECK(ask(app) == "done");
  reply = {};
  CHECK(ask(app) == "done");
}

TEST_CASE("home threads may end before the interpreter, and after it", "[python][shutdown]") {
  environment world(
      "import threading\nlocal = threading.local()\n"
      "def run(request):\n    local.value = [request]\n    return request\n");
  {
    asio::thread_pool before(2);
    const asyncres::python_app app(before, world.python(), "app:run");
    CHECK(ask(app, "x") == "x");
  }
  asio::thread_pool after(2);
  const asyncres::python_app app(after, world.python(), "app:run");
  CHECK(ask(app, "x") == "x");
  world.stop();
}

TEST_CASE("a thread that ends gives up what it has in threading.local", "[python][shutdown]") {
  environment world(R"(
import threading, weakref
class thing: pass
local = threading.local()
things = weakref.WeakSet()
def run(request):
    if request:
        local.thing = thing()
        things.add(local.thing)
    return str(len(things)).encode()
)");
  asio::thread_pool pool(1);
  const asyncres::python_app observer(pool, world.python(), "app:run");
  {
    asio::thread_pool passing(1);
    const asyncres::python_app app(passing, world.python(), "app:run");
    CHECK(ask(app, "x") == "1");
    CHECK(ask(observer) == "1");
  }
  CHECK(ask(observer) == "0");
}

TEST_CASE("an interpreter that goes down runs Python's atexit functions, and waits for threads that are no daemons",
          "[python][shutdown]") {
  environment world(R"(
import atexit, os, threading
def run(request):
    pause, done = map(int, request.split())
    threading.Thread(target=lambda: (os.read(pause, 1), os.write(done, b'.')), daemon=False).start()
    atexit.register(os.write, done, b'.')
    return b''
)");
  event pause, done;
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  ask(app, descriptors(pause, done));
  std::thread down([&] { world.stop(); });
  pause.set();
  down.join();
  done.wait();
  done.wait();
}
