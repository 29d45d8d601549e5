// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/concepts.hpp>
#include <async_resource/options.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>
#include <asio/experimental/parallel_group.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// Promise 6, of operations that run: nothing is torn. The function may look whether it is asked to give up, and a
// resource may offer interrupt(). And what async_resource::cancel() reaches. Pitfall 14.

using asio::cancellation_type;
using asyncres::async_resource;
using asyncres::cancellation_view;
using asyncres::resource_options;

namespace {

// What happens to a target, and what it does then.
struct happenings {
  std::atomic<int> interrupts{0}, finishes{0};
  std::function<void()> on_interrupt = [] {}, on_finish = [] {}, on_destruction = [] {};
};

struct target {
  explicit target(happenings& h) : seen(&h) {}
  target(const target&) = delete;
  ~target() { seen->on_destruction(); }
  happenings* seen;
};

void interrupt(target& t) {
  ++t.seen->interrupts;
  t.seen->on_interrupt();
}

void finish_interrupt(target& t) {
  ++t.seen->finishes;
  t.seen->on_finish();
}

using handle = async_resource<asio::any_io_executor, target>;

struct simple {
  testing::event interrupted;
  friend void interrupt(simple& s) { s.interrupted.set(); }
};

// A target that lives in another thread. Handlers run when the test says so.
template <class Home>
struct stage {
  // Starts a function that waits to be told.
  void start_held() {
    resource->async_invoke(
        [this](target&, cancellation_view view) {
          running.set();
          (void)go_on.wait();
          view_said = view.requested();
        },
        bound(asio::detached));
    CHECK(running.wait());
  }
  template <class Handler>
  auto bound(Handler handler) {
    return asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(callers, std::move(handler)));
  }
  void cancel(bool by_handle) {
    if (by_handle)
      resource->cancel();
    else
      signal.emit(cancellation_type::terminal);
  }
  void finish() {
    go_on.set();
    resource.reset();
    home.join();
    callers.run();
  }

  happenings seen;
  std::atomic<bool> view_said{false};
  asio::cancellation_signal signal;
  testing::event running, go_on;
  asio::io_context callers;
  Home home;
  std::optional<handle> resource{std::in_place, home.get_executor(), seen};
};

// The deadline is a watchdog.
bool wait_until_requested(const cancellation_view& view) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!view.requested() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  return view.requested();
}

template <class... Functions>
struct overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
overloaded(Functions...) -> overloaded<Functions...>;

}  // namespace

TEST_CASE("a function may take a cancellation_view, after an error_code or without", "[async_resource][interrupt]") {
  asio::io_context home;
  const async_resource<asio::any_io_executor, int> resource(home, 40);
  const auto ask = [&](auto function) {
    auto future = resource.async_invoke(std::move(function), asio::use_future);
    home.restart();
    home.run();
    return future.get();
  };
  const auto view_1 = [](int& n, cancellation_view view) { return view.requested() ? 0 : n + 1; };
  const auto view_2 = [](int& n, std::error_code&, const cancellation_view& view) {
    return view.requested() ? 0 : n + 2;
  };
  STATIC_REQUIRE(asyncres::operation_on<decltype(view_1), int>);
  STATIC_REQUIRE(asyncres::operation_on<decltype(view_2), int>);
  STATIC_REQUIRE(noexcept(std::declval<const cancellation_view&>().requested()));
  CHECK(ask(view_1) == 41);
  CHECK(ask(view_2) == 42);
  CHECK_THROWS_AS(ask([](int&, cancellation_view) { throw std::domain_error("thrown"); }), std::domain_error);

  const auto plain = [](int&) { return 1; };
  const auto with_view = [](int&, cancellation_view) { return 2; };
  const auto with_code = [](int&, std::error_code&) { return 3; };
  const auto with_both = [](int&, std::error_code&, cancellation_view) { return 4; };
  CHECK(ask(overloaded{with_both, with_code, with_view, plain}) == 1);
  CHECK(ask(overloaded{with_both, with_code, with_view}) == 2);
  CHECK(ask(overloaded{with_both, with_code}) == 3);
}

TEMPLATE_TEST_CASE("a running function sees that it is cancelled, and what it returns or throws is kept",
                   "[async_resource][interrupt]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  stage<TestType> s;
  asio::steady_timer timer(s.callers, asio::steady_timer::time_point::max());
  int result = 0;
  const auto function = [&](target&, cancellation_view view) {
    s.running.set();
    return wait_until_requested(view) ? 42 : 0;
  };
  const auto handler = [&](std::exception_ptr e, int n) { result = e ? -1 : n; };
  const auto visit = [&]() -> asio::awaitable<int> { co_return co_await s.resource->async_invoke(function); };
  std::function<void()> cancel = [&] { s.signal.emit(cancellation_type::terminal); };
  SECTION("by its slot") {
    const auto type = GENERATE(cancellation_type::terminal, cancellation_type::partial, cancellation_type::total);
    s.resource->async_invoke(function, s.bound(handler));
    cancel = [&s, type] { s.signal.emit(type); };
  }
  SECTION("by the handle") {
    s.resource->async_invoke(function, asio::bind_executor(s.callers, handler));
    cancel = [&] { s.resource->cancel(); };
  }
  SECTION("awaited, by the coroutine's slot") {
    asio::co_spawn(s.callers, visit(), s.bound(handler));
  }
  SECTION("awaited, by the handle") {
    asio::co_spawn(s.callers, visit(), handler);
    cancel = [&] { s.resource->cancel(); };
  }
  SECTION("by a parallel group") {
    auto h = [&](std::array<std::size_t, 2>, std::exception_ptr e, int n, std::error_code) { handler(e, n); };
    asio::experimental::make_parallel_group(
        s.resource->async_invoke(function, asio::bind_executor(s.callers, asio::deferred)),
        timer.async_wait(asio::deferred))
        .async_wait(asio::experimental::wait_for_one(), asio::bind_executor(s.callers, h));
    cancel = [&] { timer.cancel(); };
  }
  SECTION("with an error_code") {
    s.resource->async_invoke(
        [&](target& t, std::error_code& e, cancellation_view view) {
          e = asyncres::errc::frame_truncated;
          return function(t, view);
        },
        s.bound([&](std::error_code e, int) { result = e == asyncres::errc::frame_truncated ? 42 : 0; }));
  }
  SECTION("and throws") {
    s.resource->async_invoke(
        [&](target& t, cancellation_view view) -> int { throw std::domain_error(std::to_string(function(t, view))); },
        s.bound([&](std::exception_ptr e, int) {
          try {
            std::rethrow_exception(e);
          } catch (const std::domain_error& error) {
            result = std::stoi(error.what());
          }
        }));
  }
  s.callers.poll();
  CHECK(s.running.wait());
  cancel();
  s.callers.run();
  CHECK(result == 42);
  s.finish();
  CHECK(s.seen.interrupts == 1);
}

TEMPLATE_TEST_CASE("what runs is interrupted once, by the thread that cancels; home finishes that",
                   "[async_resource][interrupt]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const bool by_handle = GENERATE(false, true);
  CAPTURE(by_handle);
  stage<TestType> s;
  std::thread::id interrupter;
  bool finished_at_home = false;
  s.seen.on_interrupt = [&] { interrupter = std::this_thread::get_id(); };
  s.seen.on_finish = [&, strand = s.resource->get_executor()] { finished_at_home = strand.running_in_this_thread(); };
  s.start_held();
  for (int again = 0; again < 2; ++again) {
    s.cancel(by_handle);
    s.cancel(!by_handle);
  }
  CHECK(s.seen.interrupts == 1);
  CHECK(interrupter == std::this_thread::get_id());
  CHECK(s.seen.finishes == 0);
  s.resource->async_invoke([](target&) {}, asio::detached);
  s.finish();
  s.seen.on_finish = [] {};
  CHECK(s.view_said);
  CHECK(finished_at_home);
  CHECK(s.seen.interrupts == 1);
  CHECK(s.seen.finishes == 1);
}

TEMPLATE_TEST_CASE("however many threads cancel, what runs is interrupted once", "[async_resource][interrupt]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  for (int round = 0; round < 50; ++round) {
    stage<TestType> s;
    s.start_held();
    std::vector<std::thread> cancellers;
    for (int i = 0; i < 4; ++i) cancellers.emplace_back([&s, i] { s.cancel(i > 0); });
    for (auto& canceller : cancellers) canceller.join();
    s.finish();
    CHECK(s.seen.interrupts == 1);
    CHECK(s.seen.finishes == 1);
  }
}

TEMPLATE_TEST_CASE("only the operation that is cancelled is interrupted", "[async_resource][interrupt]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  happenings elsewhere;
  asio::cancellation_signal other;
  stage<TestType> s;
  std::optional<handle> neighbour;
  SECTION("not one that runs before it") {
    s.start_held();
    s.resource->async_invoke([](target&) {}, asio::bind_cancellation_slot(other.slot(), asio::detached));
  }
  SECTION("not one that runs after it") {
    s.resource->async_invoke([](target&) {}, asio::bind_cancellation_slot(other.slot(), asio::detached));
    s.start_held();
  }
  SECTION("not one of another resource on the same home") {
    neighbour.emplace(s.resource->get_executor(), elsewhere);
    s.start_held();
    neighbour->async_invoke([](target&) {}, asio::bind_cancellation_slot(other.slot(), asio::detached));
    neighbour->cancel();
  }
  other.emit(cancellation_type::total);
  neighbour.reset();
  s.finish();
  CHECK(elsewhere.interrupts == 0);
  CHECK_FALSE(s.view_said);
  CHECK(s.seen.interrupts == 0);
  CHECK(s.seen.finishes == 0);
}

TEMPLATE_TEST_CASE("home starts nothing before an interrupt has returned, and first lets go of what that needs",
                   "[async_resource][interrupt]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  enum class next { functions, destruction, close };
  const next then = GENERATE(next::functions, next::destruction, next::close);
  CAPTURE(int(then));
  stage<TestType> s;
  testing::event interrupted, finishing;
  std::atomic<bool> inside{false}, in_time{false}, destroyed{false};
  std::atomic<int> overlapping{0}, started{0};
  s.seen.on_interrupt = [&] {
    inside = true;
    interrupted.set();
    in_time = finishing.wait();
    for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
    inside = false;
  };
  s.seen.on_finish = [&] { finishing.set(); };
  s.seen.on_destruction = [&] { destroyed = true, overlapping += inside; };
  s.resource->async_invoke([&](target&) { s.running.set(), (void)interrupted.wait(); }, s.bound(asio::detached));
  CHECK(s.running.wait());
  if (then == next::functions)
    for (int i = 0; i < 3; ++i)
      s.resource->async_invoke([&](target&) { ++started, overlapping += inside; }, asio::detached);
  if (then == next::close) s.resource->async_close([&](std::error_code) { overlapping += inside; });
  if (then == next::destruction) s.resource.reset();
  s.signal.emit(cancellation_type::terminal);
  s.finish();
  CHECK(in_time);
  CHECK(destroyed);
  CHECK(overlapping == 0);
  CHECK(started == (then == next::functions ? 3 : 0));
  CHECK(s.seen.finishes == 1);
}

TEST_CASE("cancelling from inside the running function only sets the view", "[async_resource][interrupt]") {
  const bool by_handle = GENERATE(false, true);
  CAPTURE(by_handle);
  happenings seen;
  asio::cancellation_signal signal;
  asio::io_context home;
  const handle resource(home, seen);
  const auto cancel = [&] {
    if (by_handle)
      resource.cancel();
    else
      signal.emit(cancellation_type::terminal);
  };
  std::function<void()> inside = cancel;
  SECTION("itself") {}
  SECTION("in a handler that it runs there") {
    inside = [&] {
      asio::post(home, cancel);
      home.poll_one();
    };
  }
  bool before = true, after = false, completed = false, later = false;
  resource.async_invoke(
      [&](target&, cancellation_view view) { before = view.requested(), inside(), after = view.requested(); },
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { completed = !e; }));
  home.run();
  resource.async_invoke([&](target&, cancellation_view view) { later = view.requested(); }, asio::detached);
  home.restart();
  home.run();
  CHECK_FALSE(before);
  CHECK(after);
  CHECK(completed);
  CHECK_FALSE(later);
  CHECK(seen.interrupts == 0);
  CHECK(seen.finishes == 0);
}

TEST_CASE("a resource may offer interrupt() alone", "[async_resource][interrupt]") {
  testing::event running;
  testing::pool_1 home;
  const auto resource = asyncres::make_async_resource<simple>(home.context());
  auto in_time =
      resource.async_invoke([&](simple& s) { return running.set(), s.interrupted.wait(); }, asio::use_future);
  CHECK(running.wait());
  resource.cancel();
  CHECK(in_time.get());
}

TEMPLATE_TEST_CASE("an interrupt that comes late never reaches the next operation", "[async_resource][interrupt]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int rounds = 2'000;
  std::atomic<int> current{-1};  // Counts up with each function.
  std::atomic<int> cancelled{0}, missed{0};
  stage<TestType> s;
  s.seen.on_interrupt = [&] {
    missed += current > cancelled;
    for (int i = 0; i < 5; ++i) std::this_thread::yield();
    missed += current > cancelled;
  };
  for (int round = 0; round < rounds; ++round) {
    const int id = 2 * round;
    cancelled = id;
    asio::cancellation_signal signal;
    s.resource->async_invoke(
        [&, id, round](target&, cancellation_view view) {
          current = id;
          if (round % 10 == 0) (void)wait_until_requested(view);
        },
        asio::bind_cancellation_slot(signal.slot(), asio::detached));
    auto next = s.resource->async_invoke(
        [&, id](target&, cancellation_view view) { current = id + 1, missed += view.requested(); }, asio::use_future);
    if (round % 2 == 0)
      while (current < id) std::this_thread::yield();
    for (int i = 0; i < round % 100; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
    signal.emit(cancellation_type::total);
    next.get();
  }
  s.finish();
  CHECK(missed == 0);
  CHECK(s.seen.interrupts >= rounds / 10);
  CHECK(s.seen.finishes == s.seen.interrupts);
}

TEST_CASE("cancel() aborts what was initiated before it and has not started, and nothing else",
          "[async_resource][interrupt]") {
  happenings seen;
  asio::io_context home, callers;
  const handle resource(home, resource_options{.max_pending = 2, .full = asyncres::when_full::wait}, std::in_place,
                        seen);
  std::string ran, completed, aborted;
  using action = std::function<void()>;
  const auto ask = [&](char name, action inside = nullptr, action then = nullptr) {
    const auto handler = [&, name, then](std::exception_ptr e) {
      (e ? aborted : completed) += name;
      if (then) then();
    };
    resource.async_invoke(
        [&ran, name, inside](target&) {
          ran += name;
          if (inside) inside();
        },
        asio::bind_executor(callers, handler));
  };
  const auto run = [&] {
    for (std::size_t n = 1; n != 0;) home.restart(), callers.restart(), n = home.poll() + callers.poll();
    std::sort(aborted.begin(), aborted.end());
    return std::tuple(ran, completed, aborted);
  };
  using result = std::tuple<std::string, std::string, std::string>;
  const auto cancel = [copy = resource] { copy.cancel(); };
  SECTION("from outside, also what waits for room") {
    for (const char name : {'a', 'b', 'c', 'd'}) ask(name);
    cancel();
    cancel();
    ask('e');
    CHECK(run() == result("e", "e", "abcd"));
  }
  SECTION("from its own function") {
    ask('a', [&] { ask('c'), cancel(), ask('d'); });
    ask('b');
    CHECK(run() == result("ad", "ad", "bc"));
  }
  SECTION("from a handler") {
    ask('a', nullptr, [&] { ask('b'), cancel(), ask('c'); });
    CHECK(run() == result("ac", "ac", "b"));
  }
  SECTION("with nothing there") {
    cancel();
    ask('a');
    CHECK(run() == result("a", "a", ""));
  }
  SECTION("with a completion on its way") {
    ask('a');
    home.poll();
    cancel();
    CHECK(run() == result("a", "a", ""));
  }
  CHECK(seen.interrupts == 0);
}

TEMPLATE_TEST_CASE("cancel() reaches what runs and what is queued, whoever calls it", "[async_resource][interrupt]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  stage<TestType> s;
  std::atomic<int> ran{0}, aborted{0};
  int later = 0;
  s.start_held();
  const auto ask = [&]() -> asio::awaitable<void> {
    try {
      co_await s.resource->async_invoke([&](target&) { ++ran; });
    } catch (const std::system_error& e) {
      aborted += e.code() == asio::error::operation_aborted;
    }
  };
  for (int i = 0; i < 100; ++i) asio::co_spawn(s.callers, ask(), asio::detached);
  s.callers.poll();
  SECTION("by cancel()") {
    std::thread([&s] { s.resource->cancel(); }).join();
    s.resource->async_invoke([&](target&) { ++ran; }, asio::detached);
    later = 1;
  }
  SECTION("by a close that cancels") {
    s.resource->async_close(asyncres::close_mode::cancel, asio::detached);
  }
  s.finish();
  CHECK(aborted == 100);
  CHECK(ran == later);
  CHECK(s.view_said);
  CHECK(s.seen.interrupts == 1);
  CHECK(s.seen.finishes == 1);
}
