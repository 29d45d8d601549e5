// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <list>
#include <memory>
#include <numeric>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"
#include "support/executors.hpp"

// Promise 9: bounded, in number and in time.

using asyncres::async_resource;
using asyncres::errc;
using asyncres::resource_options;
using asyncres::when_full;

namespace {

using counter = async_resource<asio::any_io_executor, int>;
using codes = std::vector<std::error_code>;

// Runs both contexts until neither has anything ready.
void settle(asio::io_context& a, asio::io_context& b) {
  for (bool more = true; more;) {
    a.restart();
    b.restart();
    more = a.poll() + b.poll() > 0;
  }
}

std::vector<int> numbers(int n) {
  std::vector<int> result(static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

// Operations submitted from one thread, numbered; their handlers run on `callers`.
class submissions {
 public:
  submissions(const counter& resource, asio::io_context& callers) : resource_(resource), callers_(callers) {}

  void submit(asio::cancellation_slot slot = {}) {
    resource_.async_invoke([this, n = next_++](int&, std::error_code&) { run_.push_back(n); },
                           asio::bind_cancellation_slot(slot, asio::bind_executor(callers_, [this](std::error_code e) {
                                                          codes_.push_back(e);
                                                        })));
  }

  // The functions that ran, and what the handlers were told since they were last asked.
  const std::vector<int>& run() const { return run_; }
  codes told() { return std::exchange(codes_, {}); }

 private:
  const counter& resource_;
  asio::io_context& callers_;
  int next_ = 0;
  std::vector<int> run_;
  codes codes_;
};

// Counts the objects alive, the most that were, and those that died where they should not have.
struct census {
  std::atomic<int> alive{0};
  std::atomic<int> most{0};
  std::atomic<int> died_elsewhere{0};
  std::function<bool()> at_home;  // Empty: they may die anywhere.
};

class citizen {
 public:
  explicit citizen(census& c) : census_(&c) {
    const int alive = ++c.alive;
    for (int most = c.most; most < alive && !c.most.compare_exchange_weak(most, alive);) continue;
  }
  citizen(citizen&& other) noexcept : census_(std::exchange(other.census_, nullptr)) {}
  citizen& operator=(citizen&&) = delete;
  ~citizen() {
    if (!census_) return;
    if (census_->at_home && !census_->at_home()) ++census_->died_elsewhere;
    --census_->alive;
  }

 private:
  census* census_;
};

}  // namespace

TEST_CASE("beyond max_pending an operation completes with queue_full, its function uncalled",
          "[async_resource][bounds]") {
  const std::size_t limit = GENERATE(1u, 3u, 64u, 100u);
  CAPTURE(limit);
  asio::io_context home;
  asio::io_context callers;
  const counter resource(home, resource_options{.max_pending = limit}, std::in_place, 0);
  submissions operations(resource, callers);
  for (std::size_t i = 0; i < limit + 5; ++i) operations.submit();
  CHECK(operations.told().empty());
  callers.poll();
  CHECK(operations.told() == codes(5, errc::queue_full));
  CHECK(operations.run().empty());
  settle(home, callers);
  CHECK(operations.told() == codes(limit, std::error_code()));
  CHECK(operations.run() == numbers(static_cast<int>(limit)));
  for (std::size_t i = 0; i < limit; ++i) operations.submit();
  settle(home, callers);
  CHECK(operations.told() == codes(limit, std::error_code()));
}

TEST_CASE("the operation that runs does not count, those that home has not started do", "[async_resource][bounds]") {
  asio::io_context home;
  asio::io_context callers;
  const counter resource(home, resource_options{.max_pending = 2}, std::in_place, 0);
  submissions operations(resource, callers);
  codes told_inside;
  resource.async_invoke(
      [&](int&) {
        operations.submit();
        operations.submit();
        callers.poll();
        told_inside = operations.told();
      },
      asio::detached);
  operations.submit();
  settle(home, callers);
  CHECK(told_inside == codes{errc::queue_full});
  CHECK(operations.told() == codes(2, std::error_code()));
  CHECK(operations.run() == std::vector{0, 1});
}

TEST_CASE("a rejection is told on the handler's executor, not inside the initiating function, unless it is immediate",
          "[async_resource][bounds]") {
  census functions;
  std::optional<std::error_code> code;
  bool inside = false;
  bool on_strand = false;
  asio::io_context home;
  asio::io_context callers;
  const counter resource(home, resource_options{.max_pending = 1}, std::in_place, 0);
  const auto submit = [&](auto adapt) {
    resource.async_invoke([self = citizen(functions)](int&, std::error_code&) {}, adapt([&](std::error_code e) {
                            code = e;
                            on_strand = resource.get_executor().running_in_this_thread();
                          }));
    inside = code.has_value();
    // The function is destroyed where it was submitted.
    CHECK(functions.alive == 0);
  };
  SECTION("where it has one") {
    resource.async_invoke([](int&) {}, asio::detached);
    asio::post(callers, [&] { submit([&](auto handler) { return asio::bind_executor(callers, handler); }); });
    callers.poll();
    CHECK_FALSE(inside);
  }
  SECTION("where it has none, on the inner one, off the strand") {
    asio::dispatch(resource.get_executor(), [&] {
      resource.async_invoke([](int&) {}, asio::detached);
      submit([](auto handler) { return handler; });
    });
    home.poll();
    CHECK_FALSE(inside);
    CHECK_FALSE(on_strand);
  }
  SECTION("immediate") {
    resource.async_invoke([](int&) {}, asio::detached);
    submit([&](auto handler) { return asio::bind_immediate_executor(testing::eager_executor(home), handler); });
    CHECK(inside);
  }
  CHECK(code == errc::queue_full);
}

TEST_CASE("an operation that was cancelled or timed out counts until home has removed it", "[async_resource][bounds]") {
  const bool timed_out = GENERATE(false, true);
  asio::cancellation_signal signal;
  asio::io_context home;
  asio::io_context callers;
  const auto max_wait = timed_out ? std::chrono::nanoseconds(1'000'000) : std::chrono::nanoseconds::max();
  const counter resource(home, resource_options{.max_pending = 1, .max_wait = max_wait}, std::in_place, 0);
  submissions operations(resource, callers);
  operations.submit(signal.slot());
  if (!timed_out) signal.emit(asio::cancellation_type::total);
  callers.run();
  CHECK(operations.told() ==
        codes{timed_out ? std::error_code(errc::timed_out_queued) : asio::error::operation_aborted});
  operations.submit();
  settle(home, callers);
  CHECK(operations.told() == codes{errc::queue_full});
  CHECK(resource.stats().queued == 0);
  CHECK(operations.run().empty());

  operations.submit();
  home.restart();
  home.poll();
  callers.restart();
  callers.run();
  CHECK(operations.told() != codes{errc::queue_full});
}

TEST_CASE("however many are cancelled, no more than max_pending functions are kept", "[async_resource][bounds]") {
  constexpr int limit = 10;
  constexpr int attempts = 1'000;
  census functions;
  std::list<asio::cancellation_signal> signals;
  asio::io_context home;
  asio::io_context callers;
  const counter resource(home, resource_options{.max_pending = limit}, std::in_place, 0);
  int handled = 0;
  for (int i = 0; i < attempts; ++i) {
    auto& signal = signals.emplace_back();
    resource.async_invoke([self = citizen(functions)](int&) {},
                          asio::bind_cancellation_slot(
                              signal.slot(), asio::bind_executor(callers, [&](std::exception_ptr) { ++handled; })));
    signal.emit(asio::cancellation_type::terminal);
    callers.poll();
    callers.restart();
  }
  CHECK(handled == attempts);
  // And the one that was being rejected.
  CHECK(functions.most <= limit + 1);
}

TEMPLATE_TEST_CASE("no more than max_pending are queued, and each runs or is rejected, whoever submits",
                   "[async_resource][bounds]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int senders = 3;
  constexpr int each = 2'000;
  constexpr int limit = 5;
  census functions;
  std::atomic<int> run{0};
  std::atomic<int> succeeded{0};
  std::atomic<int> rejected{0};
  std::atomic<std::size_t> most{0};
  {
    TestType home;
    const counter resource(home.context(), resource_options{.max_pending = limit}, std::in_place, 0);
    std::vector<std::thread> threads;
    for (int t = 0; t < senders; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i)
          resource.async_invoke(
              [&, self = citizen(functions)](int&, std::error_code&) {
                ++run;
                most = std::max(most.load(), resource.stats().queued);
              },
              [&](std::error_code e) {
                succeeded += !e;
                rejected += e == errc::queue_full;
              });
      });
    for (auto& thread : threads) thread.join();
    home.join();
  }
  CHECK(succeeded == run);
  CHECK(run >= limit);
  CHECK(run + rejected == senders * each);
  CHECK(most <= limit);
  // The one that runs, and one that each sender is submitting.
  CHECK(functions.most <= limit + 1 + senders);
  CHECK(functions.alive == 0);
}

TEST_CASE("with when_full::wait nothing is rejected: it starts in order, and no more than max_pending are queued",
          "[async_resource][bounds]") {
  constexpr int total = 200;
  const std::size_t limit = GENERATE(1u, 3u, 64u);
  const bool awaited = GENERATE(false, true);
  CAPTURE(limit, awaited);
  std::size_t most = 0;
  std::vector<int> run;
  int handled = 0;
  asio::io_context home;
  asio::io_context callers;
  const counter resource(home, resource_options{.max_pending = limit, .full = when_full::wait}, std::in_place, 0);
  const auto function_of = [&](int n) {
    return [&, n](int&) {
      run.push_back(n);
      most = std::max(most, resource.stats().queued);
    };
  };
  const auto visit = [&](int n) -> asio::awaitable<void> {
    const auto function = function_of(n);
    co_await resource.async_invoke(function);
    ++handled;
  };
  for (int i = 0; i < total; ++i)
    if (awaited)
      asio::co_spawn(callers, visit(i), asio::detached);
    else
      resource.async_invoke(function_of(i), asio::bind_executor(callers, [&](std::exception_ptr e) { handled += !e; }));
  callers.poll();
  CHECK(resource.stats().queued == limit);
  CHECK(resource.stats().submitted == total);
  settle(home, callers);
  CHECK(run == numbers(total));
  CHECK(handled == total);
  CHECK(most <= limit);
  CHECK(resource.stats().rejected == 0);
}

TEMPLATE_TEST_CASE("with when_full::wait each sender's functions start in order, whoever else sends",
                   "[async_resource][bounds]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr std::size_t senders = 3;
  constexpr int each = 1'000;
  std::vector<std::vector<int>> run(senders);
  std::atomic<int> succeeded{0};
  {
    TestType home;
    const counter resource(home.context(), resource_options{.max_pending = 4, .full = when_full::wait}, std::in_place,
                           0);
    std::vector<std::thread> threads;
    for (auto& mine : run)
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i)
          resource.async_invoke([&mine, i](int&) { mine.push_back(i); },
                                [&](std::exception_ptr e) { succeeded += !e; });
      });
    for (auto& thread : threads) thread.join();
    home.join();
  }
  for (const auto& functions : run) CHECK(functions == numbers(each));
  CHECK(succeeded == senders * each);
}

TEST_CASE("what waits for room can be cancelled, closed, abandoned as what is queued", "[async_resource][bounds]") {
  std::list<asio::cancellation_signal> signals;
  auto home = std::make_unique<asio::io_context>();
  asio::io_context callers;
  const counter resource(*home, resource_options{.max_pending = 1, .full = when_full::wait}, std::in_place, 0);
  submissions operations(resource, callers);
  for (int i = 0; i < 4; ++i) operations.submit(signals.emplace_back().slot());
  SECTION("by its slot, at once") {
    std::next(signals.begin(), 2)->emit(asio::cancellation_type::partial);
    callers.poll();
    CHECK(operations.told() == codes{asio::error::operation_aborted});
    settle(*home, callers);
    CHECK(operations.run() == std::vector{0, 1, 3});
    CHECK(operations.told() == codes(3, std::error_code()));
  }
  SECTION("by cancel()") {
    resource.cancel();
    operations.submit();
    settle(*home, callers);
    CHECK(operations.run() == std::vector{4});
    CHECK(operations.told().size() == 5);
  }
  SECTION("it runs before a close that drains") {
    resource.async_close(asio::detached);
    settle(*home, callers);
    CHECK(operations.run() == numbers(4));
    CHECK(operations.told() == codes(4, std::error_code()));
  }
  SECTION("and is aborted by one that cancels") {
    resource.async_close(asyncres::close_mode::cancel, asio::detached);
    settle(*home, callers);
    CHECK(operations.run().empty());
    CHECK(operations.told() == codes(4, asio::error::operation_aborted));
  }
  SECTION("and goes with home") {
    home.reset();
    // Nothing is left to work for.
    CHECK(callers.run() == 0);
    CHECK(operations.run().empty());
    CHECK(operations.told().empty());
  }
}

TEST_CASE("what waits for room runs all the same where its handler's context has gone", "[async_resource][bounds]") {
  const bool awaited = GENERATE(false, true);
  CAPTURE(awaited);
  constexpr int total = 10;
  asio::io_context home;
  auto callers = std::make_unique<asio::io_context>();
  const counter resource(home, resource_options{.max_pending = 2, .full = when_full::wait}, std::in_place, 0);
  census frames;
  std::vector<int> run;
  int handled = 0;
  const auto visit = [&](int n) -> asio::awaitable<void> {
    const citizen frame(frames);
    co_await resource.async_invoke([&run, n](int&) { run.push_back(n); });
    ++handled;
  };
  for (int i = 0; i < total; ++i)
    if (awaited)
      asio::co_spawn(*callers, visit(i), asio::detached);
    else
      resource.async_invoke(
          [&, i](int&) { run.push_back(i); },
          asio::bind_executor(*callers, [&, frame = citizen(frames)](std::exception_ptr) { ++handled; }));
  callers->poll();
  callers.reset();
  CHECK(frames.most == total);
  CHECK(frames.alive == 0);
  home.run();
  CHECK(run == numbers(total));
  CHECK(handled == 0);
}

TEMPLATE_TEST_CASE("an operation that is queued longer than max_wait completes in time, also while home is busy",
                   "[async_resource][bounds]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const when_full full = GENERATE(when_full::reject, when_full::wait);
  CAPTURE(int(full));
  constexpr int total = 10;
  census functions;
  std::atomic<int> called{0};
  codes told;
  int alive_when_told = 0;
  {
    testing::event go_on;
    asio::io_context callers;
    TestType home;
    // With `wait`, all but one of them wait for room.
    const std::size_t limit = full == when_full::wait ? 1 : total;
    constexpr auto max_wait = std::chrono::milliseconds(50);
    const counter resource(home.context(), resource_options{.max_pending = limit, .full = full, .max_wait = max_wait},
                           std::in_place, 0);
    functions.at_home = [strand = resource.get_executor()] { return strand.running_in_this_thread(); };
    // On a slow machine the one that holds home may time out itself.
    const auto hold = [&] {
      const auto started = std::make_shared<std::promise<bool>>();
      resource.async_invoke([&, started](int&, std::error_code&) { started->set_value(true), (void)go_on.wait(); },
                            [started](std::error_code e) { e ? started->set_value(false) : void(); });
      return started->get_future().get();
    };
    while (!hold()) continue;
    for (int i = 0; i < total; ++i)
      resource.async_invoke([&, self = citizen(functions)](int&, std::error_code&) { ++called; },
                            asio::bind_executor(callers, [&](std::error_code e) { told.push_back(e); }));
    callers.run();
    alive_when_told = functions.alive;
    go_on.set();
    home.join();
    functions.at_home = nullptr;
  }
  CHECK(told == codes(total, errc::timed_out_queued));
  CHECK(alive_when_told == total);
  CHECK(called == 0);
  CHECK(functions.alive == 0);
  CHECK(functions.died_elsewhere == 0);
}

TEMPLATE_TEST_CASE("an operation either runs or times out", "[async_resource][bounds]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int total = 500;
  std::vector<int> called(total, 0);
  std::vector<codes> told(total);
  {
    TestType home;
    asio::io_context callers;
    const counter resource(home.context(), resource_options{.max_wait = std::chrono::milliseconds(2)}, std::in_place,
                           0);
    for (std::size_t i = 0; i < total; ++i)
      resource.async_invoke(
          [&, i](int&, std::error_code&) {
            ++called[i];
            const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
            while (std::chrono::steady_clock::now() < until) continue;
          },
          asio::bind_executor(callers, [&, i](std::error_code e) { told[i].push_back(e); }));
    callers.run();
    home.join();
  }
  for (std::size_t i = 0; i < total; ++i) {
    CAPTURE(i);
    CHECK(told[i] == codes{called[i] == 1 ? std::error_code() : std::error_code(errc::timed_out_queued)});
  }
}

TEST_CASE("a time limit that was kept keeps nobody's run() waiting", "[async_resource][bounds]") {
  asio::io_context home;
  asio::io_context callers;
  const counter resource(home, resource_options{.max_wait = std::chrono::hours(1)}, std::in_place, 0);
  submissions operations(resource, callers);
  operations.submit();
  home.run();
  callers.run();
  CHECK(operations.told() == codes(1, std::error_code()));
}
