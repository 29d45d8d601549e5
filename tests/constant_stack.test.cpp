// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/double_dispatch.hpp>

#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "support/stack_gauge.hpp"

// Promise 10, its last sentence; pitfall 2: the stack does not grow with the number of operations.

using asyncres::async_resource;

namespace {

using testing::stack_gauge;

constexpr int operations = 1'000'000;
constexpr std::uintptr_t a_few_frames = 16 * 1024;

}  // namespace

TEST_CASE("a million awaited operations in a loop on one io_context take constant stack", "[async_resource][stack]") {
  asio::io_context context;
  async_resource<asio::any_io_executor, int> resource(context, 0);
  stack_gauge gauge;
  int hits = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < operations; ++i) {
          hits = co_await resource.async_invoke([](int& n) { return ++n; });
          gauge.measure();
        }
      },
      asio::detached);
  context.run();
  CHECK(hits == operations);
  CHECK(gauge.spread() < a_few_frames);
}

namespace {

struct callback_loop {
  async_resource<asio::any_io_executor, int> resource;
  stack_gauge& gauge;
  int& hits;

  void operator()(std::exception_ptr, int n) {
    gauge.measure();
    hits = n;
    start();
  }
  void start() {
    if (hits == operations) return;
    auto handle = resource;
    handle.async_invoke([](int& i) { return ++i; }, std::move(*this));
  }
};

}  // namespace

TEST_CASE("a million operations started from each other's callbacks on one io_context take constant stack",
          "[async_resource][stack]") {
  asio::io_context context;
  stack_gauge gauge;
  int hits = 0;
  callback_loop{async_resource<asio::any_io_executor, int>(context, 0), gauge, hits}.start();
  context.run();
  CHECK(hits == operations);
  CHECK(gauge.spread() < a_few_frames);
}

TEST_CASE("a million operations submitted at once on one io_context take constant stack", "[async_resource][stack]") {
  asio::io_context context;
  async_resource<asio::any_io_executor, int> resource(context, 0);
  stack_gauge gauge;
  int handled = 0;
  for (int i = 0; i < operations; ++i)
    resource.async_invoke([&](int&) { gauge.measure(); }, [&](std::exception_ptr) { ++handled; });
  context.run();
  CHECK(handled == operations);
  CHECK(gauge.spread() < a_few_frames);
}

TEST_CASE("a hundred thousand double dispatches in a loop on one io_context take constant stack",
          "[double_dispatch][stack]") {
  asio::io_context context;
  stack_gauge gauge;
  int hits = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 100'000; ++i) {
          hits += co_await asyncres::double_dispatch(context.get_executor(), [] { return 1; });
          gauge.measure();
        }
      },
      asio::detached);
  context.run();
  CHECK(hits == 100'000);
  CHECK(gauge.spread() < a_few_frames);
}
