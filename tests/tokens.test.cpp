// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/co_composed.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/experimental/promise.hpp>
#include <asio/experimental/use_promise.hpp>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include "support/contexts.hpp"
#include "support/counting_allocator.hpp"
#include "support/executors.hpp"
#include "support/plain_coroutine.hpp"
#include "support/run_coroutine.hpp"

// Promise 4: every token. Pitfall 7.

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // Of Asio's co_composed, by GCC 12.
#endif

using asyncres::async_resource;

namespace {

struct tally {
  int hits = 0;
};

using counter = async_resource<asio::any_io_executor, tally>;

constexpr auto hit = [](tally& t) { return ++t.hits; };
constexpr auto hit_ec = [](tally& t, std::error_code&) { return ++t.hits; };

}  // namespace

TEMPLATE_TEST_CASE("without a token the operation is returned, to be awaited", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  int hits = 0;
  testing::run([&]() -> asio::awaitable<void> {
    co_await resource.async_invoke(hit);
    co_await resource.async_invoke(hit, asio::deferred);
    co_await resource.async_invoke(hit, asio::use_awaitable);
    hits = co_await resource.async_invoke(hit_ec);
  });
  CHECK(hits == 4);
}

TEMPLATE_TEST_CASE("an awaited function that throws throws from co_await", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  CHECK_THROWS_AS(testing::run([&]() -> asio::awaitable<void> {
                    co_await resource.async_invoke([](tally&) { throw std::domain_error("no"); });
                  }),
                  std::domain_error);
}

TEMPLATE_TEST_CASE("an operation does nothing until it is started, and can be moved until then",
                   "[async_resource][tokens]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  auto operation = resource.async_invoke(hit, asio::deferred);
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<decltype(operation)>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<decltype(operation)>);
  auto moved = std::move(operation);
  CHECK(resource.async_invoke(hit, asio::use_future).get() == 1);
  CHECK(std::move(moved)(asio::use_future).get() == 2);
}

TEMPLATE_TEST_CASE("an operation composes as Asio's deferred operations do", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  auto twice =
      resource.async_invoke(hit) | asio::deferred([&](std::exception_ptr, int) { return resource.async_invoke(hit); });
  CHECK(std::move(twice)(asio::use_future).get() == 2);
}

TEMPLATE_TEST_CASE("plain callables, also move-only ones, are called with the result", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  std::atomic<int> sum{0};
  const auto handler = [&](std::exception_ptr e, int n) { sum += e ? 100 : n; };
  resource.async_invoke(hit, handler);
  resource.async_invoke(hit, [&, owned = std::make_unique<int>(10)](std::exception_ptr, int n) { sum += n + *owned; });
  resource.async_invoke(hit_ec, [&](std::error_code e, int n) { sum += e ? 100 : n; });
  home.join();
  CHECK(sum == 1 + 2 + 10 + 3);
}

TEMPLATE_TEST_CASE("functions, handlers and results may be move-only", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  auto future = resource.async_invoke(
      [owned = std::make_unique<int>(41)](tally&) mutable { return ++*owned, std::move(owned); }, asio::use_future);
  CHECK(*future.get() == 42);
}

TEMPLATE_TEST_CASE("adapters of tokens work: as_tuple, redirect_error, append, prepend, consign",
                   "[async_resource][tokens]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  CHECK(resource.async_invoke(hit, asio::as_tuple(asio::use_future)).get() == std::tuple(std::exception_ptr(), 1));
  std::error_code error;
  CHECK(resource.async_invoke(hit_ec, asio::redirect_error(asio::use_future, error)).get() == 2);
  CHECK(resource.async_invoke(hit, asio::append(asio::as_tuple(asio::use_future), 'x')).get() ==
        std::tuple(std::exception_ptr(), 3, 'x'));
  CHECK(resource.async_invoke(hit, asio::prepend(asio::as_tuple(asio::use_future), 'x')).get() ==
        std::tuple('x', std::exception_ptr(), 4));
  auto owned = std::make_shared<int>();
  std::atomic<int> consigned{0};
  // Not with a future, whose handler belongs to the system's threads: nothing says when they have destroyed it.
  resource.async_invoke(hit, asio::consign([&](std::exception_ptr, int n) { consigned = n; }, owned));
  resource.async_invoke(hit, asio::detached);
  home.join();
  CHECK(consigned == 5);
  CHECK(owned.use_count() == 1);
}

TEMPLATE_TEST_CASE("parallel groups and the awaitable operators take operations", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  using namespace asio::experimental::awaitable_operators;
  TestType home;
  counter resource(home.context());
  int sum = 0;
  std::size_t alternatives = 0;
  testing::run([&]() -> asio::awaitable<void> {
    auto [order, e1, first, e2, second] =
        co_await asio::experimental::make_parallel_group(resource.async_invoke(hit), resource.async_invoke(hit))
            .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    sum += first + second;
    auto [third, fourth] =
        co_await (resource.async_invoke(hit, asio::use_awaitable) && resource.async_invoke(hit, asio::use_awaitable));
    sum += third + fourth;
    auto either =
        co_await (resource.async_invoke(hit, asio::use_awaitable) || resource.async_invoke(hit, asio::use_awaitable));
    alternatives = std::variant_size_v<decltype(either)>;
  });
  CHECK(sum == 1 + 2 + 3 + 4);
  CHECK(alternatives == 2);
}

TEMPLATE_TEST_CASE("use_promise and any_completion_handler take an operation", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  std::atomic<int> sum{0};
  asio::any_completion_handler<void(std::exception_ptr, int)> erased = [&](std::exception_ptr, int n) { sum += n; };
  resource.async_invoke(hit, std::move(erased));
  asio::io_context here;  // A promise must not be asked while it is kept.
  auto promise = resource.async_invoke(hit, asio::bind_executor(here, asio::experimental::use_promise));
  std::move(promise)([&](std::exception_ptr, int n) { sum += n; });
  here.run();
  home.join();
  CHECK(sum == 1 + 2);
}

#if __has_include(<asio/cancel_after.hpp>)  // Since Asio 1.31.
TEMPLATE_TEST_CASE("cancel_after leaves an operation alone that completes in time", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  asio::io_context callers;
  asio::steady_timer timer(callers);
  int hits = 0;
  resource.async_invoke(hit,
                        asio::cancel_after(timer, std::chrono::hours(1),
                                           asio::bind_executor(callers, [&](std::exception_ptr, int n) { hits = n; })));
  callers.run();
  CHECK(hits == 1);
}
#endif

namespace {

template <class Token>
auto async_hit_twice(counter resource, Token&& token) {
  return asio::async_initiate<Token, void(std::error_code, int)>(
      asio::experimental::co_composed<void(std::error_code, int)>(
          []([[maybe_unused]] auto state, counter r) -> void {
            co_await r.async_invoke(hit_ec, asio::deferred);
            const int n = co_await r.async_invoke(hit_ec, asio::deferred);
            co_return {std::error_code(), n};
          },
          resource.get_inner_executor()),
      token, resource);
}

}  // namespace

TEMPLATE_TEST_CASE("an operation can be awaited inside co_composed", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  CHECK(async_hit_twice(resource, asio::use_future).get() == 2);
}

// Pitfall 7.
TEMPLATE_TEST_CASE("executor, allocator and cancellation slot are found through every adapter",
                   "[async_resource][tokens]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  TestType callers;
  counter resource(home.context());
  testing::allocation_count count;
  asio::cancellation_signal signal;
  std::atomic<bool> on_callers{false};
  resource.async_invoke(
      hit,
      asio::append(asio::bind_cancellation_slot(
                       signal.slot(),
                       asio::bind_allocator(testing::counting_allocator<void>(count),
                                            asio::bind_executor(callers.get_executor(),
                                                                [&](std::exception_ptr, int, int) {
                                                                  on_callers =
                                                                      callers.get_executor().running_in_this_thread();
                                                                }))),
                   1));
  home.join();
  callers.join();
  CHECK(on_callers);
  CHECK(count.allocations == 1);
  CHECK(count.live == 0);
}

TEMPLATE_TEST_CASE("the memory of an operation is given back before its handler runs", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  testing::allocation_count count;
  std::atomic<int> live_in_handler{-1};
  resource.async_invoke(hit,
                        asio::bind_allocator(testing::counting_allocator<void>(count),
                                             [&](std::exception_ptr, int) { live_in_handler = count.live.load(); }));
  home.join();
  CHECK(live_in_handler == 0);
  CHECK(count.allocations == 1);
}

TEMPLATE_TEST_CASE("an allocator that throws leaves the caller with a throw, and nothing submitted",
                   "[async_resource][tokens]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  testing::allocation_count count;
  count.fail_next = true;
  std::atomic<int> called{0};
  auto owned = std::make_shared<int>();
  CHECK_THROWS_AS(
      resource.async_invoke([owned](tally&) {}, asio::bind_allocator(testing::counting_allocator<void>(count),
                                                                     [&, owned](std::exception_ptr) { ++called; })),
      std::bad_alloc);
  CHECK(owned.use_count() == 1);
  CHECK(resource.async_invoke(hit, asio::use_future).get() == 1);
  CHECK(called == 0);
}

TEMPLATE_TEST_CASE("the default token is the executor's own, where it has one", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  using executor = asio::use_awaitable_t<>::executor_with_default<asio::any_io_executor>;
  using awaited = async_resource<executor, tally>;
  using rebound = asio::use_awaitable_t<>::as_default_on_t<counter>;
  STATIC_REQUIRE(std::is_same_v<awaited, rebound>);
  TestType home;
  awaited resource(home.get_executor());
  STATIC_REQUIRE(std::is_same_v<decltype(resource.async_invoke(hit)), asio::awaitable<int>>);
  int hits = 0;
  testing::run([&]() -> asio::awaitable<void> { hits = co_await resource.async_invoke(hit); });
  CHECK(hits == 1);
}

namespace {

testing::plain_coroutine await_some(counter& resource, testing::event& done, int& hits, bool& thrown, bool& on_inner) {
  co_await resource.async_invoke([](tally& t) { t.hits = 10; });
  try {
    co_await resource.async_invoke([](tally&) { throw std::runtime_error("thrown"); });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  try {
    co_await resource.async_invoke([](tally&, std::error_code& e) { e = std::make_error_code(std::errc::timed_out); });
  } catch (const std::system_error& e) {
    thrown = thrown && e.code() == std::errc::timed_out;
  }
  hits = co_await resource.async_invoke(hit);
  on_inner = !resource.get_executor().running_in_this_thread();
  done.set();
}

}  // namespace

TEMPLATE_TEST_CASE("an operation can be awaited in a coroutine that Asio does not know", "[async_resource][tokens]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  counter resource(home.context());
  testing::event done;
  int hits = 0;
  bool thrown = false;
  bool on_inner = false;
  await_some(resource, done, hits, thrown, on_inner);
  REQUIRE(done.wait());
  CHECK(hits == 11);
  CHECK(thrown);
  CHECK(on_inner);
}

namespace {

testing::plain_coroutine await_one(counter resource, testing::event& done, std::error_code& error) {
  try {
    co_await resource.async_invoke(hit);
  } catch (const std::system_error& e) {
    error = e.code();
  }
  done.set();
}

}  // namespace

TEST_CASE("a coroutine that Asio does not know is resumed although home has been shut down",
          "[async_resource][tokens]") {
  testing::event done;
  std::error_code error;
  testing::pool_1 home;
  const counter resource(home.context());
  home.shut_down();
  await_one(resource, done, error);
  REQUIRE(done.wait());
  CHECK(error == asyncres::errc::closed);
}

TEST_CASE("an operation that is awaited keeps home at work, also for a coroutine that Asio does not know",
          "[async_resource][tokens]") {
  asio::io_context home;
  testing::event done;
  std::error_code error = asyncres::errc::closed;
  await_one(counter(home.get_executor()), done, error = {});
  home.run();
  CHECK(done.wait());
  CHECK(!error);
}
