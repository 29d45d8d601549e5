// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/tokens/completion_token_transform.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <barrier>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "support/c_library.hpp"
#include "support/contexts.hpp"
#include "support/counting_allocator.hpp"
#include "support/executors.hpp"

// completion_token_transform: what becomes of handler and memory, also if start, an executor or a context fails.

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // Of Asio's coroutine frames, by GCC 12.
#endif

using asyncres::completion_token_transform;

namespace {

using error_and_int = void(std::error_code, int);
using library = testing::c_library<std::error_code, int>;

const std::error_code success;

}  // namespace

TEST_CASE("a C API takes one block, and gives it back before the handler is called", "[transform]") {
  asio::io_context context;
  asio::cancellation_signal signal;
  testing::allocation_count count;
  library c;
  int live = -1;
  completion_token_transform<error_and_int>(
      asio::bind_executor(context,
                          asio::bind_cancellation_slot(
                              signal.slot(), asio::bind_allocator(testing::counting_allocator<void>(count),
                                                                  [&](std::error_code, int) { live = count.live; }))),
      c.start(), [] {});
  c.call_back(success, 1);
  context.run();
  CHECK(count.allocations == 1);
  CHECK(live == 0);

  count.fail_next = true;
  CHECK_THROWS_AS(
      completion_token_transform<error_and_int>(
          asio::bind_allocator(testing::counting_allocator<void>(count), [](std::error_code, int) {}), c.start()),
      std::bad_alloc);
  CHECK_FALSE(c.called());
}

TEST_CASE("what start throws comes out of the initiating function, and leaves nothing behind", "[transform]") {
  const auto fail = [](void*, auto) { throw std::domain_error("no"); };
  const auto owned = std::make_shared<int>();
  testing::allocation_count count;
  asio::io_context context;
  bool called = false;
  CHECK_THROWS_AS(completion_token_transform<error_and_int>(
                      asio::bind_executor(context, asio::bind_allocator(testing::counting_allocator<void>(count),
                                                                        [&, owned](auto...) { called = true; })),
                      [owned, fail](void* c, auto callback) { fail(c, callback); }),
                  std::domain_error);
  CHECK(owned.use_count() == 1);
  CHECK(count.allocations == 1);
  CHECK(count.live == 0);
  CHECK(context.run() == 0);
  CHECK_FALSE(called);
}

TEST_CASE("a coroutine comes back to an executor that Asio does not know, or goes with its function", "[transform]") {
  testing::manual_context context;
  library c;
  const auto owned = std::make_shared<int>();
  bool resumed = false;
  const auto executor = asio::any_io_executor(context.get_executor());
  asio::co_spawn(
      executor,
      [&, owned]() -> asio::awaitable<void> {
        co_await completion_token_transform<error_and_int>(asio::deferred, c.start());
        resumed = true;
      },
      asio::detached);
  context.run();
  SECTION("it takes the function") {
    c.call_back(success, 1);
    CHECK(context.run() > 0);
    CHECK(resumed);
  }
  SECTION("it throws") {
    context.fail_next(1);
    c.call_back(success, 1);
    context.run();
    CHECK_FALSE(resumed);
  }
  CHECK(owned.use_count() == 1);
}

namespace {

// The executor of a context that is new, with no memory for what it needs.
struct poor_executor : testing::manual_context::executor_type {
  using base = testing::manual_context::executor_type;

  explicit poor_executor(const base& executor) noexcept : base(executor) {}

  testing::manual_context& query(asio::execution::context_t) const { throw std::bad_alloc(); }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  poor_executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
};

}  // namespace

TEST_CASE("a coroutine that cannot be brought back goes on at once", "[transform]") {
  testing::manual_context context;
  const poor_executor executor(context.get_executor());
  library c;
  bool thrown = false;
  asio::co_spawn(
      executor,
      [&]() -> asio::awaitable<void, poor_executor> {
        try {
          co_await completion_token_transform<error_and_int>(asio::deferred, c.start());
        } catch (const std::bad_alloc&) {
          thrown = true;
        }
      },
      asio::detached);
  context.run();
  CHECK(thrown);
  CHECK_FALSE(c.called());
}

TEST_CASE("a handler's executor that throws drops the handler, once", "[transform]") {
  testing::manual_context context;
  library c;
  const auto owned = std::make_shared<int>();
  bool called = false;
  completion_token_transform<error_and_int>(
      asio::bind_executor(context.get_executor(), [&, owned](std::error_code, int) { called = true; }), c.start());
  context.fail_next(1);
  c.call_back(success, 1);
  CHECK(context.run() == 0);
  CHECK(owned.use_count() == 1);
  CHECK_FALSE(called);
}

TEMPLATE_TEST_CASE("a handler whose context goes before the callback comes is destroyed with it", "[transform]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  const auto owned = std::make_shared<int>();
  testing::allocation_count count;
  library c;
  std::atomic<bool> called{false};
  {
    TestType callers;
    completion_token_transform<error_and_int>(
        asio::bind_executor(callers.get_executor(), asio::bind_allocator(testing::counting_allocator<void>(count),
                                                                         [&, owned](auto...) { called = true; })),
        c.start());
    callers.shut_down();
  }
  CHECK(owned.use_count() == 1);
  CHECK(count.live == 1);
  CHECK(c.call_back_elsewhere(success, 1));
  CHECK(count.live == 0);
  CHECK_FALSE(called);
}

TEST_CASE("a context may go while the callback comes", "[transform]") {
  constexpr int rounds = 1'000;
  library c;
  std::barrier together(2);
  std::thread api([&] {
    for (int i = 0; i < rounds; ++i) {
      together.arrive_and_wait();
      c.call_back(success, 1);
      together.arrive_and_wait();
    }
  });
  int left = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto owned = std::make_shared<int>();
    std::optional<asio::io_context> context(std::in_place);
    completion_token_transform<error_and_int>(asio::bind_executor(*context, [owned](std::error_code, int) {}),
                                              c.start());
    together.arrive_and_wait();
    if (i % 2) context->poll();
    context.reset();
    together.arrive_and_wait();
    left += owned.use_count() != 1;
  }
  api.join();
  CHECK(left == 0);
}

TEST_CASE("a handler whose context goes after the callback came is destroyed with it", "[transform]") {
  const auto owned = std::make_shared<int>();
  library c;
  bool called = false;
  {
    asio::io_context context;
    SECTION("as a handler") {
      completion_token_transform<error_and_int>(asio::bind_executor(context, [&, owned](auto...) { called = true; }),
                                                c.start());
    }
    SECTION("as a coroutine") {
      asio::co_spawn(
          context,
          [&, owned]() -> asio::awaitable<void> {
            co_await completion_token_transform<error_and_int>(asio::deferred, c.start());
            called = true;
          },
          asio::detached);
      context.poll();
    }
    CHECK(c.call_back_elsewhere(success, 1));
  }
  CHECK(owned.use_count() == 1);
  CHECK_FALSE(called);
}

TEST_CASE("a coroutine whose context goes before the callback comes stays suspended", "[transform]") {
  static library c;  // What it still points to is no leak to LeakSanitizer.
  bool resumed = false;
  {
    asio::io_context context;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          co_await completion_token_transform<error_and_int>(asio::deferred, c.start());
          resumed = true;
        },
        asio::detached);
    context.poll();
  }
  CHECK(c.call_back_elsewhere(success, 1));
  CHECK_FALSE(resumed);
}
