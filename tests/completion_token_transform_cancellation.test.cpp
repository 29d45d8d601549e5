// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/tokens/completion_token_transform.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "support/c_library.hpp"
#include "support/contexts.hpp"

// completion_token_transform: how a C API is asked to give up.

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // Of Asio's coroutine frames, by GCC 12.
#endif

using asio::cancellation_type;
using asyncres::completion_token_transform;

namespace {

using error_and_int = void(std::error_code, int);
using library = testing::c_library<std::error_code, int>;

const std::error_code success;
const std::error_code aborted = asio::error::operation_aborted;
const std::error_code timed_out = std::make_error_code(std::errc::timed_out);

// One call with a handler on an io_context, and what became of it.
struct fixture {
  asio::io_context context{};
  asio::cancellation_signal signal{};
  library c{};
  int cancelled = 0;
  int handled = 0;
  std::error_code error{};

  auto handler() {
    return asio::bind_executor(context, asio::bind_cancellation_slot(signal.slot(), [this](std::error_code e, int) {
                                 ++handled;
                                 error = e;
                               }));
  }
  auto cancel() {
    return [this] { ++cancelled; };
  }
  auto cancel_and_call_back() {
    return [this] {
      ++cancelled;
      c.call_back(aborted, 0);
    };
  }
};

}  // namespace

TEST_CASE("cancelling asks the API to give up, once, whatever the type", "[transform][cancellation]") {
  for (const auto type : {cancellation_type::terminal, cancellation_type::partial, cancellation_type::total}) {
    fixture f;
    completion_token_transform<error_and_int>(f.handler(), f.c.start(), f.cancel());
    f.signal.emit(cancellation_type::none);
    CHECK(f.cancelled == 0);
    f.signal.emit(type);
    f.signal.emit(cancellation_type::all);
    CHECK(f.cancelled == 1);
    f.context.poll();
    CHECK(f.handled == 0);
    CHECK(f.c.call_back_elsewhere(aborted, 0));
    f.context.run();
    CHECK(f.handled == 1);
    CHECK(f.error == aborted);
  }
}

TEST_CASE("the callback may come from within cancel", "[transform][cancellation]") {
  fixture f;
  completion_token_transform<error_and_int>(f.handler(), f.c.start(), f.cancel_and_call_back());
  f.signal.emit(cancellation_type::terminal);
  CHECK(f.cancelled == 1);
  CHECK(f.handled == 0);
  f.context.run();
  CHECK(f.handled == 1);
  CHECK(f.error == aborted);
  f.signal.emit(cancellation_type::terminal);
  CHECK(f.cancelled == 1);
}

TEST_CASE("a callback that overlaps cancel completes when that has returned", "[transform][cancellation]") {
  fixture f;
  testing::event inside;
  testing::event go_on;
  bool in_time = false;
  completion_token_transform<error_and_int>(f.handler(), f.c.start(), [&] {
    inside.set();
    in_time = go_on.wait();
  });
  std::thread canceller([&] { f.signal.emit(cancellation_type::terminal); });
  CHECK(inside.wait());
  CHECK(f.c.call_back(success, 1));
  f.context.poll();
  const int handled_meanwhile = f.handled;
  go_on.set();
  canceller.join();
  f.context.run();
  CHECK(in_time);
  CHECK(handled_meanwhile == 0);
  CHECK(f.handled == 1);
  CHECK(f.error == success);
}

TEST_CASE("the API is not asked after its callback has come", "[transform][cancellation]") {
  fixture f;
  completion_token_transform<error_and_int>(f.handler(), f.c.start(), f.cancel());
  f.c.call_back(success, 1);
  f.signal.emit(cancellation_type::terminal);
  f.context.run();
  f.signal.emit(cancellation_type::terminal);
  CHECK(f.cancelled == 0);
  CHECK(f.handled == 1);
}

TEST_CASE("cancelled while start runs, the API is asked when that has returned", "[transform][cancellation]") {
  fixture f;
  int cancelled_inside = -1;
  bool refuse = false;
  const auto start = [&](void* context, library::callback callback) {
    f.c.call(context, callback);
    f.signal.emit(cancellation_type::terminal);
    cancelled_inside = f.cancelled;
    return refuse ? timed_out : success;
  };
  SECTION("the callback comes from within cancel") {
    completion_token_transform<error_and_int>(f.handler(), start, f.cancel_and_call_back());
    CHECK(f.cancelled == 1);
  }
  SECTION("the callback comes later") {
    completion_token_transform<error_and_int>(f.handler(), start, f.cancel());
    CHECK(f.cancelled == 1);
    f.c.call_back(aborted, 0);
  }
  SECTION("not if the callback has come") {
    completion_token_transform<error_and_int>(
        f.handler(),
        [&](void* context, library::callback callback) {
          start(context, callback);
          f.c.call_back(aborted, 0);
        },
        f.cancel());
    CHECK(f.cancelled == 0);
  }
  SECTION("not if start returns an error") {
    refuse = true;
    completion_token_transform<error_and_int>(f.handler(), start, f.cancel());
    CHECK(f.cancelled == 0);
  }
  CHECK(cancelled_inside == 0);
  CHECK(f.handled == 0);
  f.context.run();
  CHECK(f.handled == 1);
  CHECK(f.error == (refuse ? timed_out : aborted));
}

TEST_CASE("a call that start did not make cannot be cancelled", "[transform][cancellation]") {
  fixture f;
  SECTION("it threw: the slot is empty again") {
    const auto fail = [](void*, auto) { throw std::domain_error("no"); };
    CHECK_THROWS_AS(completion_token_transform<error_and_int>(f.handler(), fail, f.cancel()), std::domain_error);
    CHECK_FALSE(f.signal.slot().has_handler());
  }
  SECTION("it returned an error") {
    completion_token_transform<error_and_int>(
        f.handler(), [](void*, auto) { return timed_out; }, f.cancel());
    f.signal.emit(cancellation_type::terminal);
    f.context.run();
    CHECK(f.error == timed_out);
  }
  f.signal.emit(cancellation_type::terminal);
  CHECK(f.cancelled == 0);
}

TEST_CASE("without cancel the slot is left alone", "[transform][cancellation]") {
  fixture f;
  completion_token_transform<error_and_int>(f.handler(), f.c.start());
  CHECK_FALSE(f.signal.slot().has_handler());
  f.c.call_back(success, 1);
  f.context.run();
  CHECK(f.handled == 1);
}

TEST_CASE("the slot may forget the call, or outlive it and the context", "[transform][cancellation]") {
  asio::cancellation_signal signal;
  int cancelled = 0;
  SECTION("it forgets") {
    fixture f;
    completion_token_transform<error_and_int>(f.handler(), f.c.start(), f.cancel());
    f.signal.slot().clear();
    f.c.call_back(success, 1);
    f.context.run();
    CHECK(f.handled == 1);
  }
  SECTION("it outlives the context, and the call is asked still") {
    library c;
    {
      asio::io_context context;
      completion_token_transform<error_and_int>(
          asio::bind_executor(context, asio::bind_cancellation_slot(signal.slot(), [](std::error_code, int) {})),
          c.start(), [&] {
            ++cancelled;
            c.call_back(aborted, 0);
          });
    }
    signal.emit(cancellation_type::terminal);
    CHECK(cancelled == 1);
    CHECK_FALSE(c.called());
    signal.emit(cancellation_type::terminal);
    CHECK(cancelled == 1);
  }
}

TEST_CASE("a coroutine that awaits the call directly can cancel it", "[transform][cancellation]") {
  fixture f;
  std::error_code thrown;
  asio::co_spawn(
      f.context,
      [&]() -> asio::awaitable<void> {
        try {
          co_await completion_token_transform<error_and_int>(asio::deferred, f.c.start(), f.cancel_and_call_back());
        } catch (const std::system_error& e) {
          thrown = e.code();
        }
      },
      asio::bind_cancellation_slot(f.signal.slot(), asio::detached));
  f.context.poll();
  CHECK(f.c.called());
  f.signal.emit(cancellation_type::terminal);
  f.context.run();
  CHECK(f.cancelled == 1);
  CHECK(thrown == aborted);
}

TEST_CASE("the one of two calls that is not needed any more is cancelled", "[transform][cancellation]") {
  using namespace asio::experimental::awaitable_operators;
  fixture f;
  library other;
  std::optional<std::size_t> first;
  asio::co_spawn(
      f.context,
      [&]() -> asio::awaitable<void> {
        const auto either = co_await (
            completion_token_transform<error_and_int>(asio::use_awaitable, f.c.start(), f.cancel_and_call_back()) ||
            completion_token_transform<error_and_int>(asio::use_awaitable, other.start()));
        first = either.index();
      },
      asio::detached);
  f.context.poll();
  other.call_back(success, 1);
  f.context.run();
  CHECK(f.cancelled == 1);
  CHECK(first == 1U);
}

#if __has_include(<asio/cancel_after.hpp>)  // Since Asio 1.31.
TEST_CASE("cancel_after cancels a call that takes too long", "[transform][cancellation]") {
  fixture f;
  asio::steady_timer timer(f.context);
  completion_token_transform<error_and_int>(asio::cancel_after(timer, std::chrono::milliseconds(1), f.handler()),
                                            f.c.start(), f.cancel_and_call_back());
  f.context.run();
  CHECK(f.cancelled == 1);
  CHECK(f.error == aborted);
}
#endif

namespace {

// Callback, cancel and the end of start meet in all orders. What it does is one call.
template <class Executor>
struct storm {
  explicit storm(Executor e) : executor(e) {}

  Executor executor;
  std::atomic<int> handled{0};
  std::atomic<int> wrong{0};
  std::atomic<bool> in_cancel{false};
  std::atomic<bool> over{false};
  asio::cancellation_signal signal{};
  library c{};

  void step(std::barrier<>& together) {
    const auto before = handled.load();
    over = false;
    const auto done = std::make_shared<testing::event>();  // Shared: set() may return later than wait().
    const auto handler = [this, done](std::error_code, int) {
      wrong += in_cancel;
      over = true;
      ++handled;
      done->set();
    };
    completion_token_transform<error_and_int>(
        asio::bind_executor(executor, asio::bind_cancellation_slot(signal.slot(), handler)),
        [&](void* context, library::callback callback) {
          c.call(context, callback);
          together.arrive_and_wait();  // The other thread calls back from now on.
        },
        [&] {
          in_cancel = true;
          wrong += over;
          c.call_back(aborted, 0);
          in_cancel = false;
        });
    signal.emit(cancellation_type::terminal);
    if (!done->wait()) ++wrong;
    wrong += handled != before + 1;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("start, cancel and the callback may end in any order", "[transform][cancellation]", testing::io_4,
                   testing::pool_1) {
  constexpr int rounds = 2'000;
  TestType callers;
  storm calls(callers.get_executor());
  std::barrier together(2);
  std::thread api([&] {
    for (int i = 0; i < rounds; ++i) {
      together.arrive_and_wait();
      calls.c.call_back(success, 1);
    }
  });
  for (int i = 0; i < rounds; ++i) calls.step(together);
  api.join();
  callers.join();
  CHECK(calls.handled == rounds);
  CHECK(calls.wrong == 0);
}

TEMPLATE_TEST_CASE("coroutines may be called back while they suspend", "[transform]", testing::io_4, testing::pool_4) {
  constexpr int coroutines = 4;
  constexpr int rounds = 2'000;
  TestType callers;
  asio::thread_pool api(2);
  std::atomic<int> sum{0};
  for (int i = 0; i < coroutines; ++i)
    asio::co_spawn(
        callers.get_executor(),
        [&]() -> asio::awaitable<void> {
          const auto start = [&](void* context, auto callback) {
            asio::post(api, [=] { callback(success, 1, context); });
          };
          for (int j = 0; j < rounds; ++j)
            sum += co_await completion_token_transform<error_and_int>(asio::deferred, start);
        },
        asio::detached);
  callers.join();
  api.join();
  CHECK(sum == coroutines * rounds);
}
