// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/double_dispatch.hpp>
#include <async_resource/pool.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <asio.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "support/contexts.hpp"
#include "support/counting_allocator.hpp"

// Promise 7: errors travel. Pitfalls 4 and 5.

using asyncres::async_resource;

// Pitfall 4: a thread_pool would terminate.
TEMPLATE_TEST_CASE("what a function throws reaches the handler, and the resource goes on serving",
                   "[async_resource][errors]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 1);
  auto failed = resource.async_invoke([](int&) -> int { throw std::out_of_range("no such row"); }, asio::use_future);
  auto succeeded = resource.async_invoke([](int& i) { return ++i; }, asio::use_future);
  CHECK_THROWS_MATCHES(failed.get(), std::out_of_range, Catch::Matchers::Message("no such row"));
  CHECK(succeeded.get() == 2);
}

TEMPLATE_TEST_CASE("a function that sets an error_code completes with it, and with what it returned",
                   "[async_resource][errors]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 5);
  const auto refused = std::make_error_code(std::errc::permission_denied);
  using result = std::tuple<std::error_code, int>;

  auto with_result = resource.async_invoke(
      [=](int& i, std::error_code& error) {
        error = refused;
        return i;
      },
      asio::as_tuple(asio::use_future));
  CHECK(with_result.get() == result(refused, 5));

  auto fine = resource.async_invoke([](int& i, std::error_code&) { return i; }, asio::as_tuple(asio::use_future));
  CHECK(fine.get() == result(std::error_code(), 5));

  auto without_result =
      resource.async_invoke([=](int&, std::error_code& error) { error = refused; }, asio::as_tuple(asio::use_future));
  CHECK(without_result.get() == std::tuple(refused));
}

TEMPLATE_TEST_CASE("what an error_code function throws becomes a code, and the result a default one",
                   "[async_resource][errors]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 5);
  using result = std::tuple<std::error_code, std::string>;
  const auto code_of = [&](auto thrower) {
    return resource
        .async_invoke(
            [thrower](int&, std::error_code&) -> std::string {
              thrower();
              return "not reached";
            },
            asio::as_tuple(asio::use_future))
        .get();
  };
  const auto busy = std::make_error_code(std::errc::device_or_resource_busy);
  CHECK(code_of([&] { throw std::system_error(busy); }) == result(busy, ""));
  CHECK(code_of([] { throw std::bad_alloc(); }) == result(make_error_code(std::errc::not_enough_memory), ""));
  CHECK(code_of([] { throw std::runtime_error("?"); }) == result(asyncres::errc::exception, ""));
  CHECK(code_of([] { throw 42; }) == result(asyncres::errc::exception, ""));
  CHECK(code_of([] { throw std::system_error(std::error_code()); }) == result(asyncres::errc::exception, ""));
}

namespace {

// Runs what there is to run; how often a handler threw out of run().
int run_counting_throws(asio::io_context& context) {
  int caught = 0;
  for (bool more = true; more;) {
    try {
      more = context.run() > 0;
    } catch (const std::runtime_error&) {
      ++caught;
    }
  }
  return caught;
}

// Throws when it is moved for the n-th time.
struct reluctant {
  reluctant() = default;
  explicit reluctant(int& n) : left(&n) {}
  reluctant(reluctant&& other) : left(other.left) {
    if (left && --*left == 0) throw std::runtime_error("result");
  }

  int* left = nullptr;
};

// Moves of the result that throw, one after the other; start(home, left, callers, handler) begins an operation with
// that result. How many of them its handler did not hear of. Every block has to be back.
template <class Start>
int count_unheard(Start start) {
  int unheard = 0;
  for (int n = 1, left = 0; left <= 0; ++n) {
    INFO("move " << n);
    left = n;
    testing::allocation_count blocks;
    int called = 0;
    int failed = 0;
    asio::io_context callers;
    testing::pool_1 home;
    start(home.context(), left, callers,
          asio::bind_allocator(testing::counting_allocator<void>(blocks),
                               [&](std::exception_ptr failure, const reluctant&) {
                                 ++called;
                                 failed += failure != nullptr;
                               }));
    const int caught = run_counting_throws(callers);
    home.join();
    CHECK(called + caught == 1);
    CHECK(failed == (left <= 0 && called));
    CHECK(blocks.live == 0);
    unheard += caught;
  }
  return unheard;
}

}  // namespace

// Pitfall 5: called a second time, moved-from, by the catch clause that it was delivered in.
TEST_CASE("a handler that throws does so out of its own executor's run(), once, and nobody else suffers",
          "[async_resource][errors]") {
  testing::pool_1 home;
  asio::io_context callers;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  int thrown = 0;
  int others = 0;
  for (int i = 0; i < 3; ++i)
    resource.async_invoke([](int& n) { return ++n; },
                          asio::bind_executor(callers, [&thrown, &others, i](std::exception_ptr, int) {
                            if (i != 1) return void(++others);
                            ++thrown;
                            throw std::runtime_error("handler");
                          }));
  home.join();
  const int caught = run_counting_throws(callers);
  CHECK(thrown == 1);
  CHECK(caught == 1);
  CHECK(others == 2);
}

TEST_CASE("a handler that throws on the inner executor does not keep the queue from being served",
          "[async_resource][errors]") {
  asio::io_context context;
  async_resource<asio::any_io_executor, int> resource(context, 0);
  int runs = 0;
  for (int i = 0; i < 200; ++i)
    resource.async_invoke([&runs](int&) { ++runs; }, [](std::exception_ptr) { throw std::runtime_error("handler"); });
  const int caught = run_counting_throws(context);
  CHECK(runs == 200);
  CHECK(caught == 200);
}

// The last move makes the handler's argument: if that throws, there is nothing to call it with.
TEST_CASE("what moving a result throws on its way is the failure of the operation, and its block is given back",
          "[async_resource][errors]") {
  const auto returns = [](int& left) { return [&left](auto&...) { return reluctant(left); }; };
  const auto invoke = [&](auto& home, int& left, auto handler) {
    async_resource<asio::any_io_executor, int>(home, 0).async_invoke(returns(left), std::move(handler));
  };

  SECTION("a resource") {
    CHECK(count_unheard([&](auto& home, int& left, auto& callers, auto handler) {
            invoke(home, left, asio::bind_executor(callers, std::move(handler)));
          }) == 1);
  }
  SECTION("a handler on an executor that cannot post") {
    CHECK(count_unheard([&](auto& home, int& left, auto& callers, auto handler) {
            const asio::any_completion_executor executor(callers.get_executor());
            invoke(home, left, asio::bind_executor(executor, std::move(handler)));
          }) == 1);
  }
  SECTION("a pool") {
    CHECK(count_unheard([&](auto& home, int& left, auto& callers, auto handler) {
            asyncres::async_resource_pool<asio::any_io_executor, int>(home, 1, [](std::size_t) {
              return 0;
            }).async_invoke(returns(left), asio::bind_executor(callers, std::move(handler)));
          }) == 1);
  }
  SECTION("double_dispatch") {
    CHECK(count_unheard([&](auto& home, int& left, auto& callers, auto handler) {
            asyncres::double_dispatch(home.get_executor(), returns(left),
                                      asio::bind_executor(callers, std::move(handler)));
          }) == 1);
  }
}

TEST_CASE("each error of the library has a message of its own, and is an std::error_code", "[async_resource][errors]") {
  using asyncres::errc;
  std::vector<std::string> messages;
  for (const errc value : {errc::queue_full, errc::closed, errc::poisoned, errc::would_deadlock, errc::timed_out_queued,
                           errc::not_at_home, errc::exception, errc::frame_too_large, errc::frame_truncated}) {
    const std::error_code code = value;
    CHECK(code);
    CHECK(code == value);
    CHECK(code.category() == asyncres::error_category());
    messages.push_back(code.message());
  }
  CHECK(std::string(asyncres::error_category().name()) == "async_resource");
  std::sort(messages.begin(), messages.end());
  CHECK(std::unique(messages.begin(), messages.end()) == messages.end());
}
