// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support.hpp"

#include <algorithm>
#include <asio/any_io_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <async_resource/tokens/block.hpp>
#include <atomic>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <exception>
#include <future>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace python_test;

namespace {

constexpr auto echo = "def run(request): return request\n";

}  // namespace

TEMPLATE_TEST_CASE("a request reaches the callable as bytes, and what it returns comes back", "[python][call]",
                   asio::io_context, asio::thread_pool) {
  environment world("def run(request):\n    return type(request).__name__.encode() + b' ' + request[::-1]\n");
  running<TestType> home;
  const asyncres::python_app app(home.context(), world.python(), "app:run");
  CHECK(ask(app, "abc") == "bytes cba");
}

TEST_CASE("requests and replies may be empty, large, and of any bytes", "[python][call]") {
  environment world(echo);
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  CHECK(ask(app, "").empty());
  CHECK(to_string(get(call(app))).empty());

  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  CHECK(ask(app, bytes) == bytes);
  for (const char& c : bytes) CHECK(ask(app, {&c, 1}) == std::string(1, c));

  std::string large(64 << 20, 'x');
  large.back() = '\0';
  CHECK(ask(app, large) == large);
}

TEMPLATE_TEST_CASE("many threads call one callable, which never overlaps itself", "[python][call]", asio::io_context,
                   asio::thread_pool) {
  environment world(R"(
import os
inside = 0
def run(request):
    global inside
    inside += 1
    os.stat('.')  # lets go of the GIL
    alone = inside == 1
    inside -= 1
    return request if alone else b''
)");
  running<TestType> home(4);
  const asyncres::python_app app(home.context(), world.python(), "app:run");
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const auto request = std::to_string(t) + ' ' + std::to_string(i);
        if (ask(app, request) == request) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 800);
}

TEST_CASE("calls of one thread run in order", "[python][call]") {
  environment world("seen = []\ndef run(request):\n    seen.append(request)\n    return b''.join(seen)\n");
  asio::thread_pool pool(2);
  const asyncres::python_app app(pool, world.python(), "app:run");
  std::vector<std::future<outcome>> replies;
  const std::string letters = "abcdefghij";
  for (const char& letter : letters) replies.push_back(call(app, {&letter, 1}));
  for (std::size_t i = 0; i < letters.size(); ++i)
    CHECK(to_string(get(std::move(replies[i]))) == letters.substr(0, i + 1));
}

TEST_CASE("several apps share one interpreter", "[python][call]") {
  environment world("def a(request): return b'a' + request\ndef b(request): return b'b' + request\n");
  asio::thread_pool pool(2);
  const asyncres::python_app a(pool, world.python(), "app:a");
  const asyncres::python_app b(pool, world.python(), "app:b");
  auto first = call(a, "1");
  auto second = call(b, "2");
  CHECK(to_string(get(std::move(first))) == "a1");
  CHECK(to_string(get(std::move(second))) == "b2");
}

TEST_CASE("a thread keeps its threading.local from call to call", "[python][call]") {
  environment world(R"(
import threading
local = threading.local()
def run(request):
    local.calls = getattr(local, 'calls', 0) + 1
    return str(local.calls).encode()
)");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  CHECK(ask(app) == "1");
  CHECK(ask(app) == "2");
  CHECK(ask(app) == "3");
}

TEST_CASE("a call may call Python through PyGILState again", "[python][call]") {
  environment world(R"(
import ctypes
callback = ctypes.PYFUNCTYPE(ctypes.py_object)
foreign = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 42)
def run(request): return str(foreign()).encode()
)");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  CHECK(ask(app) == "42");
}

TEST_CASE("a coroutine awaits a call", "[python][call]") {
  environment world(echo);
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  asio::io_context here;
  std::string got;
  asio::co_spawn(
      here,
      [&]() -> asio::awaitable<void> {
        co_await app.async_load(asio::use_awaitable);
        const auto reply = co_await app.async_call(asio::buffer("await", 5), asio::use_awaitable);
        got = to_string(reply);
      },
      [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
      });
  here.run();
  CHECK(got == "await");
}

TEST_CASE("an app lives on any executor", "[python][call]") {
  environment world(echo);
  asio::thread_pool pool(1);
  const asyncres::python_app on_context(pool, world.python(), "app:run");
  const asyncres::python_app on_executor(pool.get_executor(), world.python(), "app:run");
  const asyncres::python_app on_strand(asio::make_strand(pool), world.python(), "app:run");
  const asyncres::python_app<asio::any_io_executor> on_any(pool.get_executor(), world.python(), "app:run");
  static_assert(std::is_same_v<decltype(on_context), decltype(on_executor)>);
  static_assert(std::is_same_v<decltype(on_context), decltype(on_strand)>);
  CHECK(ask(on_context, "1") == "1");
  CHECK(ask(on_executor, "2") == "2");
  CHECK(ask(on_strand, "3") == "3");
  CHECK(ask(on_any, "4") == "4");
}

TEST_CASE("an app is its resource", "[python][call]") {
  environment world(echo);
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  const auto resource = app.resource();
  auto size = resource.async_invoke(
      [resource](python::callable& run) { return run(asio::buffer("four", 4), resource).size(); }, asio::use_future);
  CHECK(wait(std::move(size)) == 4);
  CHECK(app.get_executor() == resource.get_executor());
}

TEST_CASE("a lease of an app calls the callable, whatever the policy", "[python][call]") {
  environment world(echo);
  for (const auto policy : policies()) {
    asio::thread_pool pool(1);
    const asyncres::python_app app(pool, world.python(), "app:run", {.gil = policy});
    auto lease = app.resource().async_lease(asyncres::block);
    const auto call = [&](python::callable& run) { return run(asio::buffer("leased", 6), lease); };
    CHECK(to_string(lease.async_invoke(call, asyncres::block)) == "leased");
  }
}
