// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/double_dispatch.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "support/contexts.hpp"
#include "support/counting_allocator.hpp"
#include "support/executors.hpp"

// double_dispatch: the article's wish.

using asyncres::double_dispatch;

TEMPLATE_TEST_CASE("double_dispatch runs the function there, and the handler here", "[double_dispatch]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType there;
  asio::io_context here;
  bool function_there = false;
  bool handler_here = false;
  int value = 0;
  double_dispatch(
      there.get_executor(),
      [&] {
        function_there = there.get_executor().running_in_this_thread();
        return 42;
      },
      asio::bind_executor(here, [&](std::exception_ptr, int i) {
        handler_here = here.get_executor().running_in_this_thread();
        value = i;
      }));
  here.run();
  CHECK(function_there);
  CHECK(handler_here);
  CHECK(value == 42);
}

TEMPLATE_TEST_CASE("double_dispatch without an associated executor stays on the executor given, or beneath the strand",
                   "[double_dispatch]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType there;
  std::atomic<int> good{0};
  double_dispatch(
      there.get_executor(), [] {}, [&](std::exception_ptr) { good += there.get_executor().running_in_this_thread(); });
  const auto strand = asio::make_strand(there.get_executor());
  double_dispatch(
      strand, [&] { good += strand.running_in_this_thread(); },
      [&](std::exception_ptr) {
        good += !strand.running_in_this_thread() && there.get_executor().running_in_this_thread();
      });
  there.join();
  CHECK(good == 3);
}

TEMPLATE_TEST_CASE("double_dispatch carries back what the function throws", "[double_dispatch]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType there;
  auto future = double_dispatch(
      there.get_executor(), []() -> int { throw std::range_error("far"); }, asio::use_future);
  CHECK_THROWS_AS(future.get(), std::range_error);
  auto tuple = double_dispatch(
      there.get_executor(),
      [](std::error_code& e) {
        e = std::make_error_code(std::errc::timed_out);
        return 1;
      },
      asio::as_tuple(asio::use_future));
  CHECK(tuple.get() == std::tuple(std::make_error_code(std::errc::timed_out), 1));
}

TEST_CASE("double_dispatch keeps the handler's run() waiting, and comes back to coroutines", "[double_dispatch]") {
  testing::pool_1 there;
  asio::io_context here;
  int value = 0;
  asio::co_spawn(
      here,
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 100; ++i) value += co_await double_dispatch(there.get_executor(), [] { return 1; });
      },
      asio::detached);
  here.run();
  CHECK(value == 100);
}

TEMPLATE_TEST_CASE("double_dispatch never runs anything inside the initiating function", "[double_dispatch]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType there;
  std::atomic<int> inside{0};
  std::atomic<int> handled{0};
  asio::post(there.get_executor(), [&] {
    static thread_local bool initiating = false;
    initiating = true;
    double_dispatch(
        there.get_executor(), [&] { inside += initiating; },
        asio::bind_executor(testing::eager_executor(there.context()), [&](std::exception_ptr) {
          inside += initiating;
          ++handled;
        }));
    initiating = false;
  });
  there.join();
  CHECK(inside == 0);
  CHECK(handled == 1);
}

TEST_CASE("double_dispatch takes one block, and gives it back before the handler runs", "[double_dispatch]") {
  asio::io_context context;
  testing::allocation_count count;
  int live = -1;
  double_dispatch(
      context.get_executor(), [] { return 1; },
      asio::bind_allocator(testing::counting_allocator<void>(count),
                           [&](std::exception_ptr, int) { live = count.live; }));
  context.run();
  CHECK(count.allocations == 1);
  CHECK(live == 0);
}

TEST_CASE("double_dispatch abandoned by either context destroys the handler once, uncalled", "[double_dispatch]") {
  for (const bool there_first : {true, false})
    for (int steps = 0; steps < 4; ++steps) {
      CAPTURE(there_first, steps);
      auto there = std::make_unique<testing::manual_context>();
      auto here = std::make_unique<testing::manual_context>();
      auto owned = std::make_shared<int>();
      int handled = 0;
      double_dispatch(
          there->get_executor(), [owned] { return owned; },
          asio::bind_executor(here->get_executor(),
                              [&, owned](std::exception_ptr, std::shared_ptr<int>) { ++handled; }));
      for (int i = 0; i < steps; ++i)
        if (!there->run_one()) here->run_one();
      if (there_first) there.reset();
      here.reset();
      if (there) there->run();
      there.reset();
      CHECK(handled == (steps >= 2));
      CHECK(owned.use_count() == 1);
    }
}

TEST_CASE("an executor that throws leaves double_dispatch's caller with a throw and nothing else",
          "[double_dispatch]") {
  testing::manual_context there;
  there.fail_next(1);
  auto owned = std::make_shared<int>();
  bool called = false;
  CHECK_THROWS_AS(double_dispatch(
                      there.get_executor(), [owned] {}, [&, owned](std::exception_ptr) { called = true; }),
                  std::bad_alloc);
  CHECK(owned.use_count() == 1);
  CHECK(there.run() == 0);
  CHECK_FALSE(called);
}
