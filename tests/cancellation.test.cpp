// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/options.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/experimental/promise.hpp>
#include <asio/experimental/use_promise.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "support/contexts.hpp"
#include "support/executors.hpp"

// Promise 6, of operations that are queued: cancelled, they complete at once, and their functions are never called.
// Those that run are in interrupt.test.cpp. Pitfall 10.

using asio::cancellation_type;
using asyncres::async_resource;
using asyncres::resource_options;

namespace {

using counter = async_resource<asio::any_io_executor, int>;

// What became of operations.
struct record {
  std::atomic<int> completed{0}, aborted{0}, closed{0};
  std::atomic<int> called{0}, died_elsewhere{0};
  std::atomic<int> born{0}, functions{0}, handlers{0};  // Functions born; alive.
  std::function<bool()> at_home;                        // Empty: functions may die anywhere.

  void end(const std::exception_ptr& e) {
    try {
      if (e) std::rethrow_exception(e);
      ++completed;
    } catch (const std::system_error& error) {
      if (error.code() == asio::error::operation_aborted) ++aborted;
      if (error.code() == asyncres::errc::closed) ++closed;
    }
  }
  int ended() const { return completed + aborted + closed; }
  void check_extinct() const {
    CHECK(handlers == 0);
    CHECK(functions == 0);
    CHECK(died_elsewhere == 0);
  }
};

// Counts itself while it lives, however often it is moved.
class counted {
 public:
  explicit counted(std::atomic<int>& n, record* dies_at_home = nullptr) : alive_(&n), record_(dies_at_home) { ++n; }
  counted(counted&& other) noexcept : alive_(std::exchange(other.alive_, nullptr)), record_(other.record_) {}
  ~counted() {
    if (!alive_) return;
    if (record_ && record_->at_home && !record_->at_home()) ++record_->died_elsewhere;
    --*alive_;
  }

 private:
  std::atomic<int>* alive_;
  record* record_;
};

auto function(record& r) {
  ++r.born;
  return [&r, self = counted(r.functions, &r)](int&) { ++r.called; };
}

auto handler(record& r) {
  return [&r, self = counted(r.handlers)](const std::exception_ptr& e) { r.end(e); };
}

enum class style { callback, coroutine };

asio::awaitable<void> ask(counter resource, record& ops) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto ended = handler(ops);
  std::exception_ptr error;
  try {
    auto f = function(ops);
    co_await resource.async_invoke(std::move(f));
  } catch (...) {
    error = std::current_exception();
  }
  ended(error);
}

// One operation, on its way once `callers` has been polled.
template <class Executor>
void start(style how, const Executor& callers, const counter& resource, record& ops,
           asio::cancellation_signal& signal) {
  if (how == style::callback)
    resource.async_invoke(function(ops),
                          asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(callers, handler(ops))));
  else
    asio::co_spawn(callers, ask(resource, ops), asio::bind_cancellation_slot(signal.slot(), asio::detached));
}

// Runs one function that is ready, if one is, whether or not the context has run out of work before.
bool step(asio::io_context& context) {
  context.restart();
  return context.poll_one() > 0;
}

void poll(asio::io_context& context) {
  while (step(context)) continue;
}

// A home and callers that run when the test says so.
struct stage {
  explicit stage(resource_options options = {}) : resource(home, options, std::in_place, 0) {
    ops.at_home = [this] { return resource.get_executor().running_in_this_thread(); };
  }
  ~stage() { ops.at_home = nullptr; }

  template <class Token>
  auto invoke(Token&& token) {
    return resource.async_invoke(function(ops), std::forward<Token>(token));
  }
  auto unbound() { return asio::bind_executor(callers, handler(ops)); }
  auto bound() { return asio::bind_cancellation_slot(signal.slot(), unbound()); }
  void emit() { signal.emit(cancellation_type::terminal); }
  void run() {
    while (step(callers) || step(home)) continue;
  }

  record ops;
  asio::cancellation_signal signal;
  asio::io_context home;
  asio::io_context callers;
  const counter resource;
};

auto types() {
  return GENERATE(cancellation_type::terminal, cancellation_type::partial, cancellation_type::total,
                  cancellation_type::all);
}

asio::awaitable<void> one_or_timer(counter resource, record& ops, asio::steady_timer& timer) {
  using namespace asio::experimental::awaitable_operators;
  auto f = function(ops);
  auto operation = resource.async_invoke(std::move(f), asio::use_awaitable);
  const auto first = co_await (std::move(operation) || timer.async_wait(asio::use_awaitable));
  if (first.index() == 1) ++ops.aborted;
}

template <class Token>
asio::awaitable<void> ask_with(counter resource, record& ops, Token token) {
  auto f = function(ops);
  auto operation = resource.async_invoke(std::move(f), std::move(token));
  co_await std::move(operation);
}

// As a queue that another thread serves, and that is faster than the one that submits.
struct impatient_executor {
  template <class Function>
  void execute(Function function) const {
    std::move(function)();
  }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  bool operator==(const impatient_executor&) const noexcept = default;
};

// Does something whenever it is moved.
struct restless {
  explicit restless(std::function<void()> f) : on_move(std::move(f)) {}
  restless(restless&& other) : on_move(other.on_move) { on_move(); }
  std::function<void()> on_move;
};

enum class ending { all_run, callers_go, callers_go_later, home_goes, both_go };

}  // namespace

TEMPLATE_TEST_CASE("an operation cancelled while queued completes at once, and its function dies at home, uncalled",
                   "[async_resource][cancellation]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = GENERATE(style::callback, style::coroutine);
  const cancellation_type type = types();
  CAPTURE(int(how), int(type));
  record ops;
  asio::cancellation_signal signal;
  testing::event held, release;
  TestType home;
  asio::io_context callers;
  const counter resource(home.get_executor(), 0);
  ops.at_home = [&] { return resource.get_executor().running_in_this_thread(); };
  resource.async_invoke([&](int&) { held.set(), (void)release.wait(); }, asio::detached);
  CHECK(held.wait());
  start(how, callers.get_executor(), resource, ops, signal);
  callers.poll();
  signal.emit(type);
  CHECK(ops.ended() == 0);
  callers.run();
  CHECK(ops.aborted == 1);
  CHECK(ops.functions == 1);
  signal.emit(type);
  release.set();
  home.join();
  CHECK(ops.called == 0);
  CHECK(ops.ended() == 1);
  ops.check_extinct();
}

TEST_CASE("a cancellation passes through every token", "[async_resource][cancellation]") {
  stage s;
  asio::steady_timer now(s.callers, asio::steady_timer::time_point::min());
  const auto slot = s.signal.slot();
  bool at_once = true;
  SECTION("a slot bound inside of an executor") {
    s.invoke(asio::bind_executor(s.callers, asio::bind_cancellation_slot(slot, handler(s.ops))));
  }
  SECTION("an operation started later, with a slot bound outside") {
    s.invoke(asio::deferred)(s.bound());
  }
  SECTION("a function with an error_code") {
    auto h = [&s](std::error_code e, int n) { s.ops.aborted += e == asio::error::operation_aborted && n == 0; };
    s.resource.async_invoke([f = function(s.ops)](int& n, std::error_code&) { return f(n), 1; },
                            asio::bind_cancellation_slot(slot, asio::bind_executor(s.callers, h)));
  }
  SECTION("append, prepend, consign") {
    auto h = asio::bind_executor(s.callers, [&s](int, std::exception_ptr e, int) { s.ops.end(e); });
    s.invoke(asio::consign(asio::append(asio::prepend(asio::bind_cancellation_slot(slot, h), 1), 2), 3));
  }
  SECTION("any_completion_handler") {
    s.invoke(asio::any_completion_handler<void(std::exception_ptr)>(s.bound()));
    at_once = false;
  }
  SECTION("use_future") {
    auto future = s.invoke(asio::bind_cancellation_slot(slot, asio::as_tuple(asio::use_future)));
    s.emit();
    s.run();
    s.ops.end(std::get<0>(future.get()));
  }
  SECTION("use_promise") {
    std::function<void()> cancel;
    asio::post(s.home, [&] { cancel(); });
    auto promise = s.invoke(asio::experimental::use_promise);
    cancel = [&] { promise.cancel(); };
    poll(s.home);
    std::move(promise)(s.unbound());
    poll(s.callers);
  }
  SECTION("awaited, the operation's own slot") {
    const auto token = asio::bind_cancellation_slot(slot, asio::use_awaitable);
    asio::co_spawn(s.callers, ask_with(s.resource, s.ops, token), handler(s.ops));
  }
  SECTION("awaited, the coroutine's slot") {
    asio::co_spawn(s.callers, ask_with(s.resource, s.ops, asio::use_awaitable), s.bound());
  }
  SECTION("the awaitable operator ||") {
    asio::co_spawn(s.callers, one_or_timer(s.resource, s.ops, now), handler(s.ops));
    s.callers.run();
    --s.ops.completed;
  }
  SECTION("a parallel group") {
    auto h = [&s](std::array<std::size_t, 2> order, std::exception_ptr e, std::error_code) {
      if (order[0] == 1) s.ops.end(e);
    };
    const auto f = [&s](int&) { ++s.ops.called; };
    asio::experimental::make_parallel_group(s.resource.async_invoke(f, asio::bind_executor(s.callers, asio::deferred)),
                                            now.async_wait(asio::deferred))
        .async_wait(asio::experimental::wait_for_one(), asio::bind_executor(s.callers, h));
    s.callers.run();
  }
#if __has_include(<asio/cancel_after.hpp>)  // Since Asio 1.31.
  SECTION("cancel_after") {
    s.invoke(asio::cancel_after(now, std::chrono::seconds(0), types(), s.unbound()));
    s.callers.run();
  }
#endif
  if (s.ops.ended() == 0) {
    poll(s.callers);
    s.emit();
    CHECK(s.ops.ended() == 0);
    if (!at_once) poll(s.home);
    poll(s.callers);
  }
  CHECK(s.ops.aborted == 1);
  s.run();
  CHECK(s.ops.called == 0);
  CHECK(s.ops.ended() == 1);
  s.ops.check_extinct();
}

TEST_CASE("a handler that is cancelled is called on its own executor, never inside emit()",
          "[async_resource][cancellation]") {
  testing::manual_context own;
  stage s;
  const auto check = [&](auto executor, const auto& is_there) {
    bool there = false;
    auto h = [&](std::exception_ptr e) { there = is_there(), s.ops.end(e); };
    s.invoke(asio::bind_cancellation_slot(s.signal.slot(), asio::bind_executor(executor, h)));
    // From a thread that serves the handler's executor already.
    int inside = 0;
    asio::post(s.callers, [&] { s.emit(), inside = s.ops.ended(); });
    poll(s.callers);
    CHECK(inside == 0);
    own.run();
    s.run();
    CHECK(there);
    CHECK(s.ops.aborted.exchange(0) == 1);
  };
  const auto strand = asio::make_strand(s.callers);
  check(s.callers.get_executor(), [&] { return s.callers.get_executor().running_in_this_thread(); });
  check(strand, [&] { return strand.running_in_this_thread(); });
  check(asio::any_io_executor(strand), [&] { return strand.running_in_this_thread(); });
  check(own.get_executor(), [&] { return !s.callers.get_executor().running_in_this_thread(); });
  check(s.home.get_executor(), [&] { return !s.ops.at_home(); });
  CHECK(s.ops.called == 0);
  s.ops.check_extinct();
}

TEST_CASE("a coroutine hears of the cancellations that it has enabled, and goes on", "[async_resource][cancellation]") {
  const cancellation_type type = types();
  const bool total = GENERATE(false, true);
  CAPTURE(int(type), total);
  stage s;
  bool went_on = false;
  const auto visit = [&]() -> asio::awaitable<void> {
    if (total) co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    std::exception_ptr error;
    try {
      auto first = function(s.ops);
      co_await s.resource.async_invoke(std::move(first));
    } catch (...) {
      error = std::current_exception();
    }
    s.ops.end(error);
    co_await asio::this_coro::reset_cancellation_state();
    auto second = function(s.ops);
    co_await s.resource.async_invoke(std::move(second));
    went_on = true;
  };
  asio::co_spawn(s.callers, visit(), asio::bind_cancellation_slot(s.signal.slot(), asio::detached));
  poll(s.callers);
  s.signal.emit(type);
  s.run();
  const bool hears = total || (type & cancellation_type::terminal) != cancellation_type::none;
  CHECK(s.ops.aborted == int(hears));
  CHECK(s.ops.called == (hears ? 1 : 2));
  CHECK(went_on);
  s.ops.check_extinct();
}

TEST_CASE("an operation may be cancelled just before it starts, as it starts, and as it ends",
          "[async_resource][cancellation]") {
  stage s;
  std::optional<int> called = 0;
  SECTION("by the function before it") {
    s.resource.async_invoke([&](int&) { s.emit(); }, asio::detached);
    s.invoke(s.bound());
  }
  SECTION("by the destruction of the function before it") {
    auto last = std::shared_ptr<void>(nullptr, [&](auto) { s.emit(); });
    s.resource.async_invoke([last = std::move(last)](int&) {}, asio::detached);
    s.invoke(s.bound());
  }
  SECTION("by the handler of the operation before it, at home") {
    s.resource.async_invoke([](int&) {},
                            asio::bind_executor(impatient_executor(), [&](std::exception_ptr) { s.emit(); }));
    s.invoke(s.bound());
  }
  SECTION("by its function's move, on its way to be called") {
    called.reset();  // Either will do.
    auto emit_at_home = [&s] { s.ops.at_home() ? s.emit() : void(); };
    s.resource.async_invoke([f = function(s.ops), r = restless(emit_at_home)](int& n) { f(n); }, s.bound());
  }
  SECTION("by its function") {
    called = 1;
    s.resource.async_invoke([&, f = function(s.ops)](int& n) { f(n), s.emit(); }, s.bound());
  }
  s.run();
  CHECK(s.ops.ended() == 1);
  CHECK(s.ops.called == s.ops.completed);
  CHECK(s.ops.called == called.value_or(s.ops.called));
  s.ops.check_extinct();
}

TEST_CASE("a signal may go, or serve another operation, whatever has become of the first",
          "[async_resource][cancellation]") {
  stage s(resource_options{.max_pending = 1, .full = asyncres::when_full::wait});
  std::optional<asio::cancellation_signal> signal(std::in_place);
  const auto invoke = [&](std::function<void()> then) {
    auto h = [then, inner = handler(s.ops)](std::exception_ptr e) { inner(e), then(); };
    s.invoke(asio::bind_cancellation_slot(signal->slot(), asio::bind_executor(s.callers, std::move(h))));
  };
  int aborted = 1, completed = 1;
  SECTION("gone before the operation has run") {
    invoke([] {});
    signal.reset();
    aborted = 0;
  }
  SECTION("taken by a later operation, which waits for room in the queue") {
    invoke([] {});
    invoke([] {});
    signal->emit(cancellation_type::total);
    poll(s.callers);
    CHECK(s.ops.aborted == 1);
  }
  SECTION("gone with the handler of the operation that it cancelled") {
    invoke([&] { signal.reset(); });
    signal->emit(cancellation_type::total);
    poll(s.callers);
    completed = 0;
  }
  SECTION("used anew by the handler of the operation that it cancelled") {
    invoke([&] { invoke([&] { signal->emit(cancellation_type::total); }); });
    signal->emit(cancellation_type::total);
    signal->emit(cancellation_type::total);
  }
  SECTION("of an operation whose handler throws") {
    invoke([] { throw std::runtime_error("thrown"); });
    signal->emit(cancellation_type::total);
    CHECK_THROWS_AS(poll(s.callers), std::runtime_error);
    completed = 0;
  }
  s.run();
  CHECK(s.ops.aborted == aborted);
  CHECK(s.ops.completed == completed);
  s.ops.check_extinct();
}

// What a single thread can do: every point at which a cancellation can come, and what may be there afterwards.
TEST_CASE("operations may be cancelled anywhere on their way: they are called or aborted, never both",
          "[async_resource][cancellation]") {
  const style how = GENERATE(style::callback, style::coroutine);
  const int operations = GENERATE(1, 3, 70);
  const bool by_handle = GENERATE(false, true);
  const bool together = GENERATE(false, true);
  const ending then =
      GENERATE(ending::all_run, ending::callers_go, ending::callers_go_later, ending::home_goes, ending::both_go);
  CAPTURE(int(how), operations, by_handle, together, int(then));
  for (int steps = 0, previously = -1;; ++steps) {
    CAPTURE(steps);
    std::deque<asio::cancellation_signal> signals(static_cast<std::size_t>(operations));
    record ops;
    auto home = std::make_unique<asio::io_context>();
    auto elsewhere = std::make_unique<asio::io_context>();
    std::optional<const counter> resource(std::in_place, home->get_executor(), 0);
    const auto run_one = [&] { return (elsewhere && step(*elsewhere)) || (home && step(*home)); };
    ops.at_home = [&] { return resource->get_executor().running_in_this_thread(); };
    for (auto& signal : signals) start(how, (together ? home : elsewhere)->get_executor(), *resource, ops, signal);
    int done = 0;
    while (done < steps && run_one()) ++done;

    const int aborted = ops.born - ops.called;
    const auto emit = [&](auto& signal) { signal.emit(cancellation_type::total); };
    by_handle ? resource->cancel() : (void)std::for_each(signals.begin(), signals.end(), emit);
    if (then == ending::callers_go_later) poll(*elsewhere);
    if (then != ending::all_run && then != ending::home_goes) elsewhere.reset();
    if (then == ending::home_goes || then == ending::both_go) ops.at_home = nullptr, home.reset();
    for (int again = 0; again < 2; ++again) {
      while (run_one()) continue;
      std::for_each(signals.begin(), signals.end(), emit);
    }
    if (then == ending::all_run) {
      CHECK(ops.aborted == aborted);
      CHECK(ops.completed == operations - aborted);
      CHECK(ops.called == ops.completed);
    }
    if (then != ending::home_goes) CHECK(ops.closed == 0);
    ops.at_home = nullptr;
    resource.reset();
    home.reset(), elsewhere.reset();
    std::for_each(signals.begin(), signals.end(), emit);
    ops.check_extinct();
    CHECK(ops.completed <= ops.called);
    CHECK(ops.ended() <= operations);
    if (done == previously) {
      CHECK(aborted == 0);
      break;
    }
    previously = done;
  }
}
