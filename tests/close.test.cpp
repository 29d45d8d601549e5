// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/home_ptr.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// Promise 8: the end of a resource, by async_close() or without it.

using asyncres::async_resource;
using asyncres::cancellation_view;
using asyncres::close_mode;
using asyncres::errc;
using asyncres::home_ptr;

namespace {

using codes = std::vector<std::error_code>;

// Runs the contexts until none has anything ready.
template <class... Contexts>
void settle(Contexts&... contexts) {
  for (bool more = true; more;) {
    (contexts.restart(), ...);
    more = (contexts.poll() + ...) > 0;
  }
}

// Where the resource died.
struct graves {
  std::atomic<int> at_home{0};
  std::atomic<int> elsewhere{0};
  std::atomic<int> interrupts{0};
  std::optional<asio::strand<asio::any_io_executor>> home;  // Until then.
};

class resident {
 public:
  explicit resident(graves& dead) : dead_(dead) {}
  resident(const resident&) = delete;
  ~resident() {
    const bool at_home = dead_.home && dead_.home->running_in_this_thread();
    dead_.home.reset();
    ++(at_home ? dead_.at_home : dead_.elsewhere);
  }

  friend void interrupt(resident& r) { ++r.dead_.interrupts; }

 private:
  graves& dead_;
};

using handle = async_resource<asio::any_io_executor, resident>;

handle make_handle(const asio::any_io_executor& executor, graves& dead) {
  handle resource(executor, dead);
  dead.home = resource.get_executor();
  return resource;
}

constexpr auto nothing = [](resident&, std::error_code&) {};

bool is_asked_to_stop(const cancellation_view& view) {
  const auto watchdog = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!view.requested() && std::chrono::steady_clock::now() < watchdog) std::this_thread::yield();
  return view.requested();
}

}  // namespace

TEMPLATE_TEST_CASE("the resource dies at home after the last operation, once closed or once no handle is left",
                   "[async_resource][close]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const bool closes = GENERATE(false, true);
  CAPTURE(closes);
  constexpr int operations = 200;
  graves dead;
  std::atomic<int> run{0};
  std::atomic<int> run_too_late{0};
  std::atomic<int> succeeded{0};
  bool told_too_early = false;
  {
    TestType home;
    auto resource = std::make_optional(make_handle(home.get_executor(), dead));
    for (int i = 0; i < operations; ++i)
      resource->async_invoke([&](resident&, std::error_code&) { ++run, run_too_late += dead.at_home + dead.elsewhere; },
                             [&](std::error_code e) { succeeded += !e; });
    if (closes) {
      auto closed = resource->async_close(asio::use_future);
      resource.reset();
      closed.get();
      told_too_early = dead.at_home == 0 || run < operations;
    }
    resource.reset();
    home.join();
  }
  CHECK(run == operations);
  CHECK(succeeded == operations);
  CHECK(run_too_late == 0);
  CHECK_FALSE(told_too_early);
  CHECK(dead.at_home == 1);
}

TEMPLATE_TEST_CASE("a close that cancels aborts what is queued, and interrupts the function that runs",
                   "[async_resource][close]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int queued = 100;
  graves dead;
  std::atomic<int> called{0};
  std::atomic<int> aborted{0};
  int returned = 0;
  std::atomic<bool> asked{false};
  {
    testing::event running;
    TestType home;
    const handle resource = make_handle(home.get_executor(), dead);
    auto first = resource.async_invoke(
        [&](resident&, cancellation_view view) {
          running.set();
          asked = is_asked_to_stop(view);
          return 7;
        },
        asio::use_future);
    (void)running.wait();
    for (int i = 0; i < queued; ++i)
      resource.async_invoke([&](resident&, std::error_code&) { ++called; },
                            [&](std::error_code e) { aborted += e == asio::error::operation_aborted; });
    resource.async_close(close_mode::cancel, asio::use_future).get();
    returned = first.get();
    home.join();
  }
  CHECK(asked);
  CHECK(returned == 7);
  CHECK(dead.interrupts == 1);
  CHECK(called == 0);
  CHECK(aborted == queued);
  CHECK(dead.elsewhere == 0);
}

TEST_CASE("every copy is closed: what is submitted after is refused, its function destroyed where it is",
          "[async_resource][close]") {
  const close_mode mode = GENERATE(close_mode::drain, close_mode::cancel);
  CAPTURE(int(mode));
  graves dead;
  asio::io_context home;
  asio::io_context callers;
  const handle resource = make_handle(home.get_executor(), dead);
  const handle earlier = resource;
  auto unstarted = resource.async_invoke(nothing, asio::deferred);
  resource.async_close(mode, asio::detached);
  const handle later = resource;
  codes told;
  int called = 0;
  auto owned = std::make_shared<int>();
  const auto handler = [&](std::error_code e) { told.push_back(e); };
  const auto submit_all = [&] {
    for (const handle* each : {&resource, &earlier, &later}) {
      each->async_invoke([&, owned](resident&, std::error_code&) { ++called; }, asio::bind_executor(callers, handler));
      CHECK(owned.use_count() == 1);
    }
  };
  submit_all();
  CHECK(told.empty());
  callers.poll();
  CHECK(told == codes(3, errc::closed));
  settle(home, callers);
  submit_all();
  std::move(unstarted)(asio::bind_executor(callers, handler));
  settle(home, callers);
  CHECK(told == codes(7, errc::closed));
  CHECK(called == 0);
  CHECK(dead.at_home == 1);
}

TEST_CASE("every call completes with success, whatever the others are, and when", "[async_resource][close]") {
  const close_mode first = GENERATE(close_mode::drain, close_mode::cancel);
  const close_mode second = GENERATE(close_mode::drain, close_mode::cancel);
  CAPTURE(int(first), int(second));
  graves dead;
  int run = 0;
  codes told;
  codes closed;
  asio::io_context home;
  const handle resource = make_handle(home.get_executor(), dead);
  for (int i = 0; i < 3; ++i)
    resource.async_invoke([&](resident&, std::error_code&) { ++run; }, [&](std::error_code e) { told.push_back(e); });
  const auto handler = [&](std::error_code e) { closed.push_back(dead.at_home == 1 ? e : errc::exception); };
  resource.async_close(first, handler);
  resource.async_close(second, handler);
  CHECK(closed.empty());
  settle(home);
  CHECK(closed == codes(2, std::error_code()));
  // One that cancels is enough.
  const bool drained = first == close_mode::drain && second == close_mode::drain;
  CHECK(run == (drained ? 3 : 0));
  CHECK(told == codes(3, drained ? std::error_code() : asio::error::operation_aborted));

  resource.async_close(first, handler);
  CHECK(closed.size() == 2);
  settle(home);
  CHECK(closed == codes(3, std::error_code()));
}

TEMPLATE_TEST_CASE("operations that are submitted while several threads close it run, or are refused",
                   "[async_resource][close]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int rounds = 10;
  constexpr int each = 500;
  constexpr int threads_each = 2;
  const close_mode mode = GENERATE(close_mode::drain, close_mode::cancel);
  CAPTURE(int(mode));
  std::atomic<int> run{0};
  std::atomic<int> succeeded{0};
  std::atomic<int> aborted{0};
  std::atomic<int> refused{0};
  std::atomic<int> told_early{0};
  graves dead;
  for (int round = 0; round < rounds; ++round) {
    TestType home;
    testing::event some;
    std::atomic<int> run_now{0};
    const int dead_before = dead.at_home;
    const handle resource = make_handle(home.get_executor(), dead);
    std::vector<std::thread> threads;
    const auto submit = [&](int n) {
      for (int i = 0; i < n; ++i)
        resource.async_invoke(
            [&](resident&, std::error_code&) {
              ++run;
              if (++run_now == each / 2) some.set();
            },
            [&](std::error_code e) {
              ++(!e ? succeeded : e == errc::closed ? refused : aborted);
            });
    };
    for (int t = 0; t < threads_each; ++t) threads.emplace_back([&] { submit(each); });
    (void)some.wait();
    for (int t = 0; t < threads_each; ++t)
      threads.emplace_back([&] {
        resource.async_close(mode, asio::use_future).get();
        told_early += dead.at_home != dead_before + 1;
        submit(1);
      });
    for (auto& thread : threads) thread.join();
    home.join();
  }
  constexpr int total = rounds * threads_each * (each + 1);
  CHECK(run == succeeded);
  CHECK(succeeded + refused + aborted == total);
  CHECK(refused >= rounds * threads_each);
  if (mode == close_mode::drain) CHECK(aborted == 0);
  CHECK(told_early == 0);
  CHECK(dead.at_home == rounds);
}

TEST_CASE("a resource may be closed from within its own function, and from a handler", "[async_resource][close]") {
  const close_mode mode = GENERATE(close_mode::drain, close_mode::cancel);
  const bool in_function = GENERATE(false, true);
  CAPTURE(int(mode), in_function);
  graves dead;
  asio::io_context home;
  const handle resource = make_handle(home.get_executor(), dead);
  std::optional<std::error_code> closed;
  codes told;
  bool asked = false;
  const auto tell = [&](std::error_code e) { told.push_back(e); };
  const auto close = [&] {
    resource.async_close(mode, [&](std::error_code e) { closed = e; });
    resource.async_invoke(nothing, tell);
  };
  resource.async_invoke(
      [&](resident&, std::error_code&, cancellation_view view) {
        if (!in_function) return;
        close();
        asked = view.requested();
        CHECK(dead.at_home == 0);
      },
      [&](std::error_code e) {
        if (!in_function) close();
        tell(e);
      });
  settle(home);
  CHECK(closed == std::error_code());
  CHECK((told == codes{{}, errc::closed} || told == codes{errc::closed, {}}));
  CHECK(asked == (in_function && mode == close_mode::cancel));
  CHECK(dead.interrupts == 0);
  CHECK(dead.at_home == 1);
}

TEST_CASE("a close waits until every home_ptr has gone", "[async_resource][close]") {
  const close_mode mode = GENERATE(close_mode::drain, close_mode::cancel);
  CAPTURE(int(mode));
  graves dead;
  asio::io_context home;
  const handle resource = make_handle(home.get_executor(), dead);
  const auto owned = std::make_shared<int>();
  std::list<home_ptr<std::shared_ptr<int>>> pointers;
  resource.async_invoke(
      [&](resident&) {
        for (int i = 0; i < 2; ++i) pointers.push_back(asyncres::make_home_ptr<std::shared_ptr<int>>(resource, owned));
      },
      asio::detached);
  settle(home);
  codes closed;
  for (int i = 0; i < 2; ++i) resource.async_close(mode, [&](std::error_code e) { closed.push_back(e); });
  resource.cancel();  // No concern of a close.
  settle(home);
  pointers.pop_back();
  settle(home);
  CHECK(closed.empty());
  CHECK(dead.at_home == 0);
  CHECK(owned.use_count() == 2);
  pointers.pop_back();
  CHECK(owned.use_count() == 2);
  settle(home);
  CHECK(closed == codes(2, std::error_code()));
  CHECK(owned.use_count() == 1);
  CHECK(dead.at_home == 1);
}

TEST_CASE("a wait for the end can be cancelled: the closing goes on", "[async_resource][close]") {
  const auto type =
      GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total);
  const bool awaited = GENERATE(false, true);
  asio::cancellation_signal signal;
  graves dead;
  asio::io_context home;
  asio::io_context callers;
  const handle resource = make_handle(home.get_executor(), dead);
  int run = 0;
  codes cancelled;
  codes closed;
  const auto wait = [&]() -> asio::awaitable<void> {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    try {
      co_await resource.async_close();
    } catch (const std::system_error& e) {
      cancelled.push_back(e.code());
    }
  };
  resource.async_invoke([&](resident&) { ++run; }, asio::detached);
  if (awaited)
    asio::co_spawn(callers, wait(), asio::bind_cancellation_slot(signal.slot(), asio::detached));
  else
    resource.async_close(asio::bind_cancellation_slot(
        signal.slot(), asio::bind_executor(callers, [&](std::error_code e) { cancelled.push_back(e); })));
  callers.poll();
  signal.emit(type);
  CHECK(cancelled.empty());
  callers.poll();
  CHECK(cancelled == codes{asio::error::operation_aborted});
  SECTION("with another one to wait") {
    resource.async_close([&](std::error_code e) { closed.push_back(e); });
    settle(home, callers);
    CHECK(closed == codes(1, std::error_code()));
  }
  settle(home, callers);
  CHECK(run == 1);
  CHECK(dead.at_home == 1);
  CHECK(cancelled.size() == 1);
  resource.cancel();
  signal.emit(type);
  settle(home, callers);
  CHECK(cancelled.size() == 1);
}

TEST_CASE("a close after home's context was shut down completes with success", "[async_resource][close]") {
  graves dead;
  auto home = std::make_unique<asio::io_context>();
  asio::io_context callers;
  const handle resource = make_handle(home->get_executor(), dead);
  auto unstarted = resource.async_close(asio::deferred);
  home.reset();
  codes closed;
  auto handler = asio::bind_executor(callers, [&](std::error_code e) { closed.push_back(e); });
  const auto wait = [&]() -> asio::awaitable<void> {
    co_await resource.async_close(close_mode::cancel);
    closed.emplace_back();
  };
  resource.async_close(handler);
  std::move(unstarted)(handler);
  asio::co_spawn(callers, wait(), asio::detached);
  CHECK(closed.empty());
  callers.run();
  CHECK(closed == codes(3, std::error_code()));
  CHECK_NOTHROW(resource.async_close(asio::use_future).get());
}

TEST_CASE("home's context may go with a close anywhere on its way", "[async_resource][close]") {
  const bool awaited = GENERATE(false, true);
  const bool waits_for_pointer = GENERATE(false, true);
  CAPTURE(awaited, waits_for_pointer);
  for (int steps = 0; steps < 8; ++steps) {
    CAPTURE(steps);
    graves dead;
    auto owned = std::make_shared<int>();
    int told = 0;
    auto home = std::make_unique<asio::io_context>();
    asio::io_context callers;
    const handle resource = make_handle(home->get_executor(), dead);
    home_ptr<int> pointer;
    if (waits_for_pointer) {
      resource.async_invoke([&](resident&) { pointer = asyncres::make_home_ptr<int>(resource, 1); }, asio::detached);
      settle(*home);
    }
    const auto wait = [&](std::shared_ptr<int>) -> asio::awaitable<void> {
      co_await resource.async_close();
      ++told;
    };
    resource.async_invoke([](resident&) {}, asio::bind_executor(callers, [owned](std::exception_ptr) {}));
    if (awaited)
      asio::co_spawn(callers, wait(owned), asio::detached);
    else
      resource.async_close(asio::bind_executor(callers, [&told, owned](std::error_code e) { told += e ? 100 : 1; }));
    callers.poll();
    for (int i = 0; i < steps; ++i)
      if (home->restart(); home->poll_one() == 0) callers.restart(), callers.poll_one();
    home.reset();
    pointer.reset();
    settle(callers);
    CHECK(owned.use_count() == 1);
    CHECK(told <= 1);
    CHECK(dead.at_home + dead.elsewhere == 1);
  }
}

TEST_CASE("a close ends the cycle of a resource that holds a handle to itself", "[async_resource][close]") {
  struct narcissus {
    std::optional<async_resource<asio::any_io_executor, narcissus>> self;
    std::shared_ptr<int> owned;
  };
  auto owned = std::make_shared<int>();
  asio::io_context home;
  {
    const async_resource<asio::any_io_executor, narcissus> resource(home);
    resource.async_invoke([resource, owned](narcissus& n) { n.self = resource, n.owned = owned; }, asio::detached);
    resource.async_close(asio::detached);
  }
  settle(home);
  CHECK(owned.use_count() == 1);
}

TEMPLATE_TEST_CASE("a close takes every token, and comes back where the handler wants to be", "[async_resource][close]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  using defaulted = asio::use_awaitable_t<>::as_default_on_t<handle>;
  graves dead;
  graves other_dead;
  codes told;
  bool on_callers = false;
  std::atomic<bool> on_inner{false};
  {
    TestType home;
    asio::io_context callers;
    const handle resource = make_handle(home.get_executor(), dead);
    const defaulted with_default(home.get_executor(), other_dead);
    STATIC_REQUIRE(std::is_same_v<decltype(with_default.async_close()), asio::awaitable<void>>);
    const auto wait = [&]() -> asio::awaitable<void> {
      co_await resource.async_close();
      co_await resource.async_close(close_mode::cancel, asio::use_awaitable);
      co_await with_default.async_close(close_mode::cancel);
      told.emplace_back();
    };
    asio::co_spawn(callers, wait(), asio::detached);
    resource.async_close(asio::bind_executor(callers, [&, owned = std::make_unique<int>()](std::error_code e) {
      told.push_back(e);
      on_callers = callers.get_executor().running_in_this_thread();
    }));
    resource.async_close([&](std::error_code) {
      on_inner = home.get_executor().running_in_this_thread() && !resource.get_executor().running_in_this_thread();
    });
    // Work is tracked: this waits for what happens elsewhere.
    callers.run();
    told.push_back(std::get<0>(resource.async_close(asio::as_tuple(asio::use_future)).get()));
    home.join();
  }
  CHECK(told == codes(3, std::error_code()));
  CHECK(on_callers);
  CHECK(on_inner);
}
