// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>

#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <exception>
#include <list>
#include <optional>

#include "support/contexts.hpp"

// Promise 5: work is tracked. Pitfall 3.

using asyncres::async_resource;

TEST_CASE("run() on the handler's context waits for a function that runs elsewhere", "[async_resource][work]") {
  testing::pool_1 home;
  asio::io_context callers;
  async_resource<asio::any_io_executor, int> resource(home.context(), 3);
  testing::event about_to_run;
  std::optional<int> value;
  resource.async_invoke(
      [&](int& i) {
        (void)about_to_run.wait();
        return i;
      },
      asio::bind_executor(callers, [&](std::exception_ptr, int i) { value = i; }));
  about_to_run.set();
  // Nothing is queued here yet, or something is: it must not matter.
  callers.run();
  CHECK(value == 3);
}

TEST_CASE("run() on the handler's context waits, also where the executor is erased or a strand",
          "[async_resource][work]") {
  std::list<asio::io_context> contexts;  // Older than home, whose thread may still be in the call that posts to them.
  testing::pool_1 home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 3);
  const auto waits_with = [&](auto make_executor) {
    auto& callers = contexts.emplace_back();
    testing::event about_to_run;
    bool called = false;
    resource.async_invoke([&](int&) { (void)about_to_run.wait(); },
                          asio::bind_executor(make_executor(callers), [&](std::exception_ptr) { called = true; }));
    CHECK(callers.poll() == 0);
    CHECK_FALSE(callers.stopped());
    about_to_run.set();
    callers.run();
    return called;
  };
  CHECK(waits_with([](auto& context) { return asio::any_io_executor(context.get_executor()); }));
  CHECK(waits_with([](auto& context) { return asio::make_strand(context); }));
  CHECK(waits_with([](auto& context) { return asio::strand<asio::any_io_executor>(context.get_executor()); }));
  CHECK(waits_with([](auto& context) { return asio::any_completion_executor(context.get_executor()); }));
}

TEST_CASE("run() on the inner executor's context waits for what is queued", "[async_resource][work]") {
  asio::io_context context;
  async_resource<asio::any_io_executor, int> resource(context, 0);
  int completed = 0;
  for (int i = 0; i < 1'000; ++i) resource.async_invoke([](int&) {}, [&](std::exception_ptr) { ++completed; });
  context.run();
  CHECK(completed == 1'000);
}

TEST_CASE("the inner executor's work is over when the completion is on its way, as with Asio's own operations",
          "[async_resource][work]") {
  asio::io_context home;
  asio::io_context callers;
  async_resource<asio::any_io_executor, int> resource(home, 0);
  bool called = false;
  resource.async_invoke([](int&) {}, asio::bind_executor(callers, [&](std::exception_ptr) { called = true; }));
  home.run();
  CHECK_FALSE(called);
  callers.run();
  CHECK(called);
}

TEST_CASE("an operation that was not started keeps nobody's run() waiting", "[async_resource][work]") {
  asio::io_context context;
  async_resource<asio::any_io_executor, int> resource(context, 0);
  const auto operation = resource.async_invoke([](int&) {}, asio::deferred);
  CHECK(context.run() == 0);
}

TEST_CASE("an idle resource keeps nobody's run() waiting", "[async_resource][work]") {
  asio::io_context context;
  async_resource<asio::any_io_executor, int> resource(context, 0);
  resource.async_invoke([](int&) {}, asio::detached);
  context.run();
  CHECK(context.stopped());
}
