// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/tokens/completion_token_transform.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/co_composed.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/experimental/promise.hpp>
#include <asio/experimental/use_promise.hpp>

#include <atomic>
#include <coroutine>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>

#include "support/c_library.hpp"
#include "support/contexts.hpp"
#include "support/executors.hpp"
#include "support/plain_coroutine.hpp"
#include "support/run_coroutine.hpp"
#include "support/stack_gauge.hpp"

// completion_token_transform: any C API that calls back.

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // Of Asio's coroutines, by GCC 12.
#endif

using asyncres::completion_token_transform;
using asyncres::context_first;

namespace {

using error_and_int = void(std::error_code, int);
using library = testing::c_library<std::error_code, int>;

const std::error_code success;
const std::error_code timed_out = std::make_error_code(std::errc::timed_out);

// A C API that calls back from a thread of its own.
constexpr auto start_seven = [](void* context, auto callback) {
  std::thread([=] { callback(success, 7, context); }).detach();
};
template <class Token>
auto async_seven(Token&& token) {
  return completion_token_transform<error_and_int>(std::forward<Token>(token), start_seven);
}

struct no_default {
  explicit no_default(int i) : value(i) {}
  int value;
};

}  // namespace

TEMPLATE_TEST_CASE("a callback from any thread becomes a completion on the handler's executor", "[transform]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType callers;
  library c;
  std::atomic<bool> there{false};
  std::atomic<int> value{0};
  completion_token_transform<error_and_int>(asio::bind_executor(callers.get_executor(),
                                                                [&](std::error_code, int i) {
                                                                  there =
                                                                      callers.get_executor().running_in_this_thread();
                                                                  value = i;
                                                                }),
                                            c.start());
  CHECK(c.call_back_elsewhere(success, 7));
  callers.join();
  CHECK(there);
  CHECK(value == 7);
}

TEST_CASE("a handler without an executor is posted to the system_executor", "[transform]") {
  library c;
  testing::event handled;
  std::thread::id thread;
  completion_token_transform<error_and_int>(
      [&](std::error_code, int) {
        thread = std::this_thread::get_id();
        handled.set();
      },
      c.start());
  CHECK(c.call_back(success, 1));
  REQUIRE(handled.wait());
  CHECK(thread != std::this_thread::get_id());
}

TEMPLATE_TEST_CASE("the handler is never called inside start, the callback or the initiating function", "[transform]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType callers;
  std::atomic<int> inside{0};
  std::atomic<int> handled{0};
  testing::event all_handled;
  const auto call_back_at_once = [&](auto executor) {
    static thread_local bool initiating = false;
    const auto handler = [&] {
      return asio::bind_executor(executor, [&](std::error_code, int) {
        inside += initiating;
        if (++handled == 8) all_handled.set();
      });
    };
    library c;
    initiating = true;
    completion_token_transform<error_and_int>(handler(), c.start_and_call_back(success, 1));
    completion_token_transform<error_and_int>(asio::bind_immediate_executor(executor, handler()),
                                              c.start_and_call_back(success, 1));
    completion_token_transform<error_and_int>(handler(), [](void*, auto) { return timed_out; });
    completion_token_transform<error_and_int>(handler(), c.start());
    c.call_back(success, 1);
    initiating = false;
  };
  asio::post(callers.get_executor(), [&] { call_back_at_once(callers.get_executor()); });
  asio::post(callers.get_executor(), [&] { call_back_at_once(testing::eager_executor(callers.context())); });
  CHECK(all_handled.wait());
  callers.join();
  CHECK(inside == 0);
}

TEST_CASE("the context may come first", "[transform]") {
  const auto start = [](void* context, void (*callback)(void*, const char*, int)) { callback(context, "three", 3); };
  auto future = completion_token_transform<void(const char*, int)>(asio::use_future, context_first, start);
  CHECK(future.get() == std::tuple<const char*, int>("three", 3));
  auto nothing = completion_token_transform<void()>(asio::use_future, context_first,
                                                    [](void* context, void (*callback)(void*)) { callback(context); });
  CHECK_NOTHROW(nothing.get());
}

TEST_CASE("an error that start returns is what the operation completes with", "[transform]") {
  const auto refuse = [](void*, auto) { return timed_out; };
  const auto accept = [](void* context, auto callback) {
    callback(nullptr, "done", context);
    return success;
  };
  CHECK(completion_token_transform<void(std::error_code, std::string, int)>(asio::as_tuple(asio::use_future), refuse)
            .get() == std::tuple(timed_out, std::string(), 0));
  using signature = void(std::exception_ptr, std::string);
  CHECK_THROWS_AS(completion_token_transform<signature>(asio::use_future, refuse).get(), std::system_error);
  CHECK(completion_token_transform<signature>(asio::use_future, accept).get() == "done");
  testing::run([&]() -> asio::awaitable<void> {
    std::error_code thrown;
    try {
      co_await completion_token_transform<signature>(asio::deferred, refuse);
    } catch (const std::system_error& e) {
      thrown = e.code();
    }
    CHECK(thrown == timed_out);
    CHECK(co_await completion_token_transform<signature>(asio::deferred, accept) == "done");
  });
}

TEST_CASE("what start throws comes out of the co_await", "[transform]") {
  const auto fail = [](void*, auto) -> std::error_code { throw std::domain_error("no"); };
  CHECK_THROWS_AS(testing::run([&]() -> asio::awaitable<void> {
                    co_await completion_token_transform<error_and_int>(asio::deferred, fail);
                  }),
                  std::domain_error);
}

TEST_CASE("the arguments may be move-only, and need no default where start cannot refuse", "[transform]") {
  const auto start = [](void* context, void (*callback)(std::unique_ptr<int>, no_default, void*)) {
    callback(std::make_unique<int>(1), no_default(2), context);
  };
  using signature = void(std::unique_ptr<int>, no_default);
  int sum = 0;
  testing::run([&]() -> asio::awaitable<void> {
    auto [one, two] = co_await completion_token_transform<signature>(asio::deferred, start);
    sum = *one + two.value;
  });
  testing::event handled;
  completion_token_transform<signature>(
      [&](std::unique_ptr<int> one, no_default two) {
        sum += *one + two.value;
        handled.set();
      },
      [&, owned = std::make_unique<int>()](void* context, auto callback) { start(context, callback); });
  REQUIRE(handled.wait());
  CHECK(sum == 6);
}

TEST_CASE("a C API takes every token", "[transform]") {
  asio::io_context context;
  int sum = 0;
  const auto add = [&](std::error_code, int i) { sum += i; };
  const auto here = [&](auto token) { return asio::bind_executor(context, std::move(token)); };
  async_seven(here(add));
  async_seven(here([add, owned = std::make_unique<int>()](std::error_code e, int i) { add(e, i); }));
  async_seven(here(asio::detached));
  async_seven(asio::append(here([&](std::error_code, int i, int j) { sum += i * j; }), 2));
  async_seven(asio::prepend(here([&](int j, std::error_code, int i) { sum += i * j; }), 3));
  async_seven(asio::consign(here(add), std::make_unique<int>()));
  async_seven(here(asio::any_completion_handler<error_and_int>(here(add))));
  std::error_code error = timed_out;
  async_seven(asio::redirect_error(here([&](int i) { sum += error ? 100 : i; }), error));
  asio::experimental::make_parallel_group(async_seven(asio::deferred), async_seven(asio::deferred))
      .async_wait(asio::experimental::wait_for_all(), here([&](auto, auto, int i, auto, int j) { sum += i + j; }));
  (async_seven(asio::deferred) | asio::deferred([](std::error_code, int i) {
     return completion_token_transform<error_and_int>(asio::deferred,
                                                      [i](void* c, auto callback) { callback(success, i + 1, c); });
   }))(here(add));
  context.run();
  CHECK(sum == 7 + 7 + 14 + 21 + 7 + 7 + 7 + 14 + 8);

  CHECK(async_seven(asio::use_future).get() == 7);
  auto later = async_seven(asio::deferred);
  auto moved = std::move(later);
  CHECK(std::move(moved)(asio::use_future).get() == 7);
}

TEST_CASE("coroutines await a C API in every way", "[transform]") {
  using namespace asio::experimental::awaitable_operators;
  int sum = 0;
  testing::run([&]() -> asio::awaitable<void> {
    sum += co_await async_seven(asio::deferred);
    sum += co_await async_seven(asio::use_awaitable);
    const auto [error, i] = co_await async_seven(asio::as_tuple(asio::use_awaitable));
    sum += error ? 100 : i;
    const auto [j, k] = co_await (async_seven(asio::use_awaitable) && async_seven(asio::use_awaitable));
    sum += j + k;
    // A promise is not thread-safe.
    const auto here = co_await asio::this_coro::executor;
    auto promise = async_seven(asio::bind_executor(here, asio::experimental::use_promise));
    sum += co_await std::move(promise)(asio::deferred);
  });
  CHECK(sum == 6 * 7);
}

namespace {

template <class Token>
auto async_fourteen(Token&& token) {
  auto seven_twice = []([[maybe_unused]] auto state) -> void {
    const int seven = co_await async_seven(asio::deferred);
    co_return {success, seven + co_await async_seven(asio::deferred)};
  };
  return asio::async_initiate<Token, error_and_int>(
      asio::experimental::co_composed<error_and_int>(std::move(seven_twice)), token);
}

}  // namespace

TEST_CASE("a C API can be awaited inside co_composed", "[transform]") {
  CHECK(async_fourteen(asio::use_future).get() == 14);
}

TEST_CASE("work is tracked until the callback comes", "[transform]") {
  asio::io_context context;
  library c;
  bool handled = false;
  SECTION("for a handler") {
    completion_token_transform<error_and_int>(asio::bind_executor(context, [&](auto...) { handled = true; }),
                                              c.start());
  }
  SECTION("for a coroutine") {
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          co_await completion_token_transform<error_and_int>(asio::deferred, c.start());
          handled = true;
        },
        asio::detached);
    context.poll();
  }
  CHECK(context.poll() == 0);
  CHECK_FALSE(context.stopped());
  std::thread thread([&] { c.call_back(success, 1); });
  context.run();
  thread.join();
  CHECK(handled);
}

namespace {

template <class Executor>
asio::awaitable<void, Executor> await_seven(Executor executor, std::atomic<int>& good) {
  for (int i = 0; i < 10; ++i) {
    const int seven = co_await async_seven(asio::deferred);
    if constexpr (requires { executor.running_in_this_thread(); })
      good += seven == 7 && executor.running_in_this_thread();
    else
      good += seven == 7;
  }
}

}  // namespace

TEMPLATE_TEST_CASE("coroutines come back to executors of every kind", "[transform]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType callers;
  std::atomic<int> good{0};
  const auto spawn = [&](auto executor) {
    asio::co_spawn(executor, await_seven<decltype(executor)>(executor, good), asio::detached);
  };
  spawn(callers.get_executor());
  spawn(asio::make_strand(callers.get_executor()));
  spawn(asio::any_io_executor(callers.get_executor()));
  spawn(asio::any_io_executor(asio::make_strand(callers.get_executor())));
  spawn(asio::make_strand(asio::any_io_executor(callers.get_executor())));
  callers.join();
  CHECK(good == 50);
}

TEST_CASE("a handler that throws does so out of its executor's run()", "[transform]") {
  asio::io_context context;
  completion_token_transform<error_and_int>(
      asio::bind_executor(context, [](std::error_code, int) { throw std::domain_error("no"); }), start_seven);
  CHECK_THROWS_AS(context.run(), std::domain_error);
}

TEST_CASE("the stack does not grow with the number of calls", "[transform]") {
  testing::stack_gauge gauge;
  testing::run([&]() -> asio::awaitable<void> {
    const auto at_once = [](void* context, auto callback) { callback(success, 1, context); };
    const auto fail = [](void*, auto) { throw 1; };
    for (int i = 0; i < 1'000; ++i) {
      co_await completion_token_transform<error_and_int>(asio::deferred, at_once);
      gauge.measure();
      try {
        co_await completion_token_transform<error_and_int>(asio::deferred, fail);
      } catch (int) {
        gauge.measure();
      }
    }
  });
  CHECK(gauge.spread() < 4'096);
}

namespace {

testing::plain_coroutine await_all(testing::event& done, int& sum, std::error_code& error, bool& thrown) {
  const auto at_once = [](void* context, void (*callback)(void*)) { callback(context); };
  const auto two = [](void* context, void (*callback)(int, int, void*)) { callback(1, 2, context); };
  const auto refuse = [](void*, auto) { return timed_out; };
  const auto fail = [](void*, auto) { throw std::domain_error("no"); };
  co_await completion_token_transform<void()>(asio::deferred, context_first, at_once);
  const auto [i, j] = co_await completion_token_transform<void(int, int)>(asio::deferred, two);
  sum = i + j + co_await async_seven(asio::deferred);
  try {
    co_await completion_token_transform<error_and_int>(asio::deferred, refuse);
  } catch (const std::system_error& e) {
    error = e.code();
  }
  try {
    co_await completion_token_transform<error_and_int>(asio::deferred, fail);
  } catch (const std::domain_error&) {
    thrown = true;
  }
  done.set();
}

}  // namespace

TEST_CASE("a C API can be awaited in a coroutine that Asio does not know", "[transform]") {
  testing::event done;
  int sum = 0;
  std::error_code error;
  bool thrown = false;
  await_all(done, sum, error, thrown);
  REQUIRE(done.wait());
  CHECK(sum == 10);
  CHECK(error == timed_out);
  CHECK(thrown);
}
