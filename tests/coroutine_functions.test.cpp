// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

using asyncres::async_resource;
using asyncres::block;
using asyncres::errc;
using asyncres::on_failure;
using asyncres::resource_options;

namespace {

using words = std::vector<std::string>;

// Suspends, and lets whoever wants to come between.
asio::awaitable<void> come_again() {
  for (int i = 0; i < 3; ++i) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

asio::awaitable<void> until_cancelled() {
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

}  // namespace

TEMPLATE_TEST_CASE("a function that is a coroutine has the resource to itself until it has finished",
                   "[async_resource][coroutine_functions]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  const auto resource = asyncres::make_async_resource<words>(home.context());
  bool at_home = true;
  const auto speak = [&](words& w) -> asio::awaitable<int> {
    w.push_back("begin");
    co_await come_again();
    at_home = at_home && resource.get_executor().running_in_this_thread();
    w.push_back("end");
    co_return 7;
  };
  std::vector<std::future<int>> spoken;
  for (int i = 0; i < 10; ++i) {
    spoken.push_back(resource.async_invoke(speak, asio::use_future));
    resource.async_invoke([](words& w) { w.push_back("between"); }, asio::detached);
  }
  for (auto& each : spoken) CHECK(each.get() == 7);
  const words all = resource.async_invoke([](words& w) { return w; }, block);
  REQUIRE(all.size() == 30);
  for (std::size_t i = 0; i < all.size(); i += 3) {
    CHECK(all[i] == "begin");
    CHECK(all[i + 1] == "end");
    CHECK(all[i + 2] == "between");
  }
  home.join();
  CHECK(at_home);
}

TEMPLATE_TEST_CASE("what a coroutine function throws reaches the handler, and is the resource's failure",
                   "[async_resource][coroutine_functions]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  asyncres::resource_options options;
  options.failure = asyncres::on_failure::poison;
  const asyncres::async_resource<asio::any_io_executor, words> resource(home.context(), options, std::in_place);
  const auto fail = [](words&) -> asio::awaitable<std::unique_ptr<int>> {
    co_await come_again();
    throw std::logic_error("no");
  };
  CHECK_THROWS_AS(resource.async_invoke(fail, block), std::logic_error);
  std::error_code error;
  resource.async_invoke([](words&) {}, block[error]);
  CHECK(error == errc::poisoned);
  CHECK(resource.failure());
  home.join();
  const auto stats = resource.stats();
  CHECK(stats.submitted == 2);
  CHECK(stats.failed == 1);
  CHECK(stats.rejected == 1);
  CHECK(stats.completed == 0);
}

TEST_CASE("a coroutine function may be one of home's own executor", "[async_resource][coroutine_functions]") {
  asio::io_context context;
  const async_resource<asio::any_io_executor, int> resource(context, 7);
  using executor = decltype(resource)::executor_type;
  int result = 0;
  resource.async_invoke(
      [](int& n) -> asio::awaitable<int, executor> {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable_t<executor>());
        co_return n;
      },
      [&](std::exception_ptr, int n) { result = n; });
  context.run();
  CHECK(result == 7);
}

TEMPLATE_TEST_CASE("cancelling reaches into a coroutine function, also from another thread",
                   "[async_resource][coroutine_functions]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  const auto resource = asyncres::make_async_resource<words>(home.context());
  testing::event begun;
  asio::cancellation_signal running, waiting;
  const auto wait = [&](words&) -> asio::awaitable<void> {
    begun.set();
    co_await until_cancelled();
  };
  bool called = false;
  const auto never = [&](words&) -> asio::awaitable<void> {
    called = true;
    co_return;
  };
  auto first = resource.async_invoke(wait, asio::bind_cancellation_slot(running.slot(), asio::use_future));
  auto second = resource.async_invoke(never, asio::bind_cancellation_slot(waiting.slot(), asio::use_future));
  auto third = resource.async_invoke([](words&) { return 3; }, asio::use_future);
  REQUIRE(begun.wait());
  const auto aborted = [](std::future<void>& result) {
    try {
      result.get();
    } catch (const std::system_error& e) {
      return e.code() == asio::error::operation_aborted;
    }
    return false;
  };
  waiting.emit(asio::cancellation_type::total);
  CHECK(aborted(second));
  running.emit(asio::cancellation_type::partial);
  CHECK(aborted(first));
  CHECK(third.get() == 3);
  CHECK(!called);
  home.join();
  running.emit(asio::cancellation_type::terminal);
}

TEST_CASE("a coroutine function goes with its home, and its handler with it", "[async_resource][coroutine_functions]") {
  testing::pool_1 home;
  const auto token = std::make_shared<int>();
  testing::event begun;
  const auto resource = asyncres::make_async_resource<words>(home.context());
  const auto wait = [&, token](words&) -> asio::awaitable<void> {
    begun.set();
    co_await until_cancelled();
  };
  testing::io_1 callers;
  bool called = false;
  resource.async_invoke(wait,
                        asio::bind_executor(callers.get_executor(), [&, token](std::exception_ptr) { called = true; }));
  REQUIRE(begun.wait());
  home.shut_down();
  callers.join();
  CHECK(!called);
  std::error_code error;
  resource.async_invoke(wait, block[error]);
  CHECK(error == errc::closed);
}

TEST_CASE("closing waits for a coroutine function", "[async_resource][coroutine_functions]") {
  asio::io_context home, callers;
  const auto resource = asyncres::make_async_resource<words>(home);
  asio::co_spawn(
      callers,
      [&]() -> asio::awaitable<void> {
        const auto speak = [](words& w) -> asio::awaitable<std::size_t> {
          w.push_back("begin");
          co_await come_again();
          co_return w.size();
        };
        auto spoken = resource.async_invoke(speak, asio::use_future);
        co_await resource.async_close();
        CHECK(spoken.get() == 1);
      },
      [](std::exception_ptr e) { CHECK(!e); });
  auto work = asio::make_work_guard(home);
  std::thread thread([&] { home.run(); });
  callers.run();
  work.reset();
  thread.join();
}

TEST_CASE("cancelled between its turn and its first step, a coroutine function's operation is told, once",
          "[async_resource][coroutine_functions][cancellation]") {
  asio::io_context context;
  asio::cancellation_signal signal;
  resource_options options;
  options.failure = on_failure::poison;
  options.quantum = 1'000;
  const async_resource<asio::any_io_executor, int> resource(context, options, std::in_place, 0);
  const int others = GENERATE(0, 100);
  for (int i = 0; i < others; ++i) resource.async_invoke([](int&) {}, asio::detached);
  asio::steady_timer never(context, asio::steady_timer::time_point::max());
  int told = 0;
  std::exception_ptr failure;
  resource.async_invoke(
      [&never](int&) -> asio::awaitable<void> { co_await never.async_wait(asio::use_awaitable); },
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { ++told, failure = e; }));
  for (int steps = GENERATE(0, 1, 2, 3, 4); steps > 0; --steps) context.poll_one();
  signal.emit(asio::cancellation_type::terminal);
  context.poll();
  CHECK(told == 1);
  CHECK(failure);
  const auto stats = resource.stats();
  CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled);
  CHECK(stats.queued + stats.running == 0);
}

TEST_CASE("to block on a coroutine function from within the resource's own is refused",
          "[async_resource][coroutine_functions][block]") {
  asio::thread_pool context(2);
  const async_resource<asio::any_io_executor, int> resource(context, 0);
  std::error_code code;
  resource
      .async_invoke(
          [&](int&) { resource.async_invoke([](int&) -> asio::awaitable<void> { co_return; }, asyncres::block[code]); },
          asio::use_future)
      .get();
  CHECK(code == asyncres::errc::would_deadlock);
}

TEST_CASE("a coroutine function is refused through the immediate executor", "[async_resource][coroutine_functions]") {
  asio::io_context context;
  const async_resource<asio::any_io_executor, int> resource(context, 0);
  resource.async_close(asio::detached);
  bool told = false;
  resource.async_invoke(
      [](int&) -> asio::awaitable<void> { co_return; },
      asio::bind_immediate_executor(asio::system_executor(), [&](std::exception_ptr) { told = true; }));
  CHECK(told);
  CHECK(resource.stats().rejected == 1);
}
