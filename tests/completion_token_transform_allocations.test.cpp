// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/tokens/completion_token_transform.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <latch>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include "support/allocation_counter.hpp"
#include "support/c_library.hpp"
#include "support/contexts.hpp"
#include "support/plain_coroutine.hpp"

// completion_token_transform: what it allocates, and that it cannot fail where nothing is allocated.

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // Of Asio's coroutine frames, by GCC 12.
#endif

using asyncres::completion_token_transform;
using testing::allocation_counter;

namespace {

using error_and_int = void(std::error_code, int);

// A C library whose own thread calls back as soon as it is called.
class busy_library : public testing::c_library<std::error_code, int> {
 public:
  ~busy_library() {
    stopping_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stopping_{false};
  std::thread thread_{[this] {
    while (!stopping_)
      if (!call_back({}, 1)) std::this_thread::yield();
  }};
};

// The executors of a context, in the forms that programs use them.
struct concrete {
  static auto of(auto executor) { return executor; }
};
struct erased {
  static asio::any_io_executor of(auto executor) { return executor; }
};
struct on_strand {
  static auto of(auto executor) { return asio::make_strand(executor); }
};
struct on_erased_strand {
  static asio::any_io_executor of(auto executor) { return asio::make_strand(executor); }
};
struct system_threads {
  static inline const std::size_t threads = std::max(1U, std::thread::hardware_concurrency()) * 2;

  asio::system_executor get_executor() { return {}; }
};

// A context whose threads have all started, and do not allocate for that any more.
template <class ContextType, class Form>
struct users : ContextType {
  users() {
    const auto all_there = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(ContextType::threads + 1));
    for (std::size_t i = 0; i < ContextType::threads; ++i)
      asio::post(this->get_executor(), [all_there] { all_there->arrive_and_wait(); });
    all_there->arrive_and_wait();
  }

  auto executor() { return Form::of(this->get_executor()); }
};

// One call each, of the kinds that there are.
constexpr auto called_back_elsewhere = [](auto& c) {
  return completion_token_transform<error_and_int>(asio::deferred, c.start());
};
constexpr auto called_back_at_once = [](auto&) {
  return completion_token_transform<error_and_int>(asio::deferred,
                                                   [](void* context, auto callback) { callback({}, 1, context); });
};
constexpr auto can_be_cancelled = [](auto& c) {
  return completion_token_transform<error_and_int>(asio::deferred, c.start(), [] {});
};

constexpr int rounds = 1'000;

// The allocations of that many calls, awaited, once all other threads are through with theirs.
template <class Executor, class Call>
asio::awaitable<long, Executor> count_awaited(busy_library& c, Call call, const std::atomic<bool>& waited_for) {
  co_await called_back_elsewhere(c);
  for (int i = 0; i < 100 || !waited_for; ++i) co_await call(c);
  allocation_counter::start();
  for (int i = 0; i < rounds; ++i) co_await call(c);
  co_return allocation_counter::stop();
}

template <class Executor, class Call, class Token = asio::use_future_t<>>
long allocations_of(const Executor& executor, Call call, Token token = Token()) {
  busy_library c;
  std::atomic<bool> waited_for{false};
  auto future = asio::co_spawn(executor, count_awaited<Executor>(c, call, waited_for), token);
  waited_for = true;
  return future.get();
}

}  // namespace

TEMPLATE_TEST_CASE("a C API that is awaited allocates nothing", "[transform][no_allocation]",
                   (users<testing::io_1, concrete>), (users<testing::io_1, erased>), (users<testing::io_1, on_strand>),
                   (users<testing::io_1, on_erased_strand>), (users<testing::pool_1, concrete>),
                   (users<testing::pool_1, erased>), (users<testing::pool_1, on_strand>),
                   (users<testing::io_4, concrete>), (users<testing::pool_4, erased>),
                   (users<system_threads, concrete>), (users<system_threads, erased>)) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  TestType here;
  CHECK(allocations_of(here.executor(), called_back_elsewhere) == 0);
  CHECK(allocations_of(here.executor(), called_back_at_once) == 0);
  CHECK(allocations_of(here.executor(), can_be_cancelled) == 0);
}

TEST_CASE("one that can be cancelled allocates one block, where a slot is connected", "[transform][no_allocation]") {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  testing::io_1 here;
  asio::cancellation_signal signal;
  const auto token = asio::bind_cancellation_slot(signal.slot(), asio::use_future);
  CHECK(allocations_of(here.get_executor(), called_back_elsewhere, token) == 0);
  CHECK(allocations_of(here.get_executor(), can_be_cancelled, token) == rounds);
}

namespace {

testing::plain_coroutine count_in_plain_coroutine(busy_library& c, long& allocations,
                                                  std::shared_ptr<testing::event> done) {
  for (int i = 0; i < 100; ++i) co_await called_back_elsewhere(c);
  allocation_counter::start();
  for (int i = 0; i < rounds; ++i) co_await called_back_elsewhere(c);
  allocations = allocation_counter::stop();
  done->set();
}

}  // namespace

TEST_CASE("nor does one that is awaited in a coroutine that Asio does not know", "[transform][no_allocation]") {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  busy_library c;
  long allocations = -1;
  const auto done = std::make_shared<testing::event>();
  count_in_plain_coroutine(c, allocations, done);
  REQUIRE(done->wait());
  CHECK(allocations == 0);
}

TEST_CASE("to make the operation and to start it from a coroutine is noexcept", "[transform]") {
  testing::c_library<std::error_code, int> c;
  const auto start = c.start();
  const auto throws_when_copied = [s = std::string()](void*, auto) { (void)s; };
  STATIC_REQUIRE(noexcept(completion_token_transform<error_and_int>(asio::deferred, start)));
  STATIC_REQUIRE(noexcept(completion_token_transform<error_and_int>(asio::deferred, start, [] {})));
  STATIC_REQUIRE_FALSE(noexcept(completion_token_transform<error_and_int>(asio::deferred, throws_when_copied)));
  STATIC_REQUIRE_FALSE(noexcept(completion_token_transform<error_and_int>(asio::use_future, start)));

  using operation = decltype(completion_token_transform<error_and_int>(asio::deferred, start));
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<operation>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<operation>);
  using awaiter = decltype(std::declval<operation>().operator co_await());
  STATIC_REQUIRE(noexcept(std::declval<awaiter&>().await_suspend(std::coroutine_handle<>())));
  using asio_awaiter = asio::detail::awaitable_async_op<error_and_int, operation, asio::any_io_executor>;
  STATIC_REQUIRE(noexcept(std::declval<asio_awaiter&>().await_suspend(std::coroutine_handle<>())));
}
