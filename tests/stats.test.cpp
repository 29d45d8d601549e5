// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/home_ptr.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// What a resource says of itself: each operation is submitted, once, and ends as one that completed, failed, was
// cancelled or was rejected.

using asyncres::async_resource;
using asyncres::errc;
using asyncres::home_ptr;
using asyncres::resource_options;
using asyncres::resource_stats;

namespace {

using counter = async_resource<asio::any_io_executor, int>;

// How operations ended. What is queued and running is looked at by itself.
struct ends {
  std::uint64_t submitted = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t rejected = 0;

  bool operator==(const ends&) const = default;
};

ends ends_of(const resource_stats& stats) {
  return {stats.submitted, stats.completed, stats.failed, stats.cancelled, stats.rejected};
}

// Runs the context until nothing is ready.
void settle(asio::io_context& context) {
  context.restart();
  context.poll();
}

void use_time(std::chrono::steady_clock::duration time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) continue;
}

constexpr auto nothing = [](int&) {};

}  // namespace

TEST_CASE("a resource that was never used has nothing to say", "[async_resource][stats]") {
  asio::io_context home;
  const counter resource(home, 0);
  const resource_stats stats = resource.stats();
  STATIC_REQUIRE(noexcept(resource.stats()));
  CHECK(ends_of(stats) == ends());
  CHECK(stats.queued == 0);
  CHECK(stats.running == 0);
  CHECK(stats.high_water == 0);
  CHECK(stats.queued_time.count() == 0);
  CHECK(stats.running_time.count() == 0);
}

TEST_CASE("each way in which an operation can end is counted as that, and as nothing else", "[async_resource][stats]") {
  asio::cancellation_signal signal;
  asio::io_context home;
  ends expected{.submitted = 1};
  SECTION("completed") {
    const counter resource(home, 0);
    resource.async_invoke(nothing, asio::detached);
    CHECK(ends_of(resource.stats()) == expected);
    settle(home);
    expected.completed = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("completed, with an error_code that the function set") {
    const counter resource(home, 0);
    resource.async_invoke([](int&, std::error_code& e) { e = std::make_error_code(std::errc::timed_out); },
                          asio::detached);
    settle(home);
    expected.completed = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("failed") {
    const counter resource(home, 0);
    resource.async_invoke([](int&) { throw std::runtime_error("no"); }, [](std::exception_ptr) {});
    settle(home);
    expected.failed = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("failed, in the form with an error_code") {
    const counter resource(home, 0);
    resource.async_invoke([](int&, std::error_code&) { throw std::runtime_error("no"); }, asio::detached);
    settle(home);
    expected.failed = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("failed, with the factory") {
    const counter resource(home, resource_options{}, asyncres::from_factory,
                           []() -> int { throw std::runtime_error("no"); });
    resource.async_invoke(nothing, [](std::exception_ptr) {});
    settle(home);
    expected.failed = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("cancelled, by its slot") {
    const counter resource(home, 0);
    resource.async_invoke(nothing, asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr) {}));
    signal.emit(asio::cancellation_type::total);
    settle(home);
    expected.cancelled = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("cancelled, by cancel()") {
    const counter resource(home, 0);
    resource.async_invoke(nothing, [](std::exception_ptr) {});
    resource.cancel();
    settle(home);
    expected.cancelled = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("cancelled, by a close") {
    const counter resource(home, 0);
    resource.async_invoke(nothing, [](std::exception_ptr) {});
    resource.async_close(asyncres::close_mode::cancel, asio::detached);
    settle(home);
    expected.cancelled = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("cancelled, by its time limit") {
    const counter resource(home, resource_options{.max_wait = std::chrono::milliseconds(1)}, std::in_place, 0);
    asio::io_context callers;
    resource.async_invoke(nothing, asio::bind_executor(callers, [](std::exception_ptr) {}));
    callers.run();
    settle(home);
    expected.cancelled = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
  SECTION("rejected, the queue being full") {
    const counter resource(home, resource_options{.max_pending = 1}, std::in_place, 0);
    for (int i = 0; i < 3; ++i) resource.async_invoke(nothing, [](std::exception_ptr) {});
    settle(home);
    CHECK(ends_of(resource.stats()) == ends{.submitted = 3, .completed = 1, .rejected = 2});
  }
  SECTION("rejected, the resource being poisoned") {
    const counter resource(home, resource_options{.failure = asyncres::on_failure::poison}, std::in_place, 0);
    resource.async_invoke([](int&) { throw std::runtime_error("no"); }, [](std::exception_ptr) {});
    resource.async_invoke(nothing, [](std::exception_ptr) {});
    settle(home);
    resource.async_invoke(nothing, [](std::exception_ptr) {});
    settle(home);
    CHECK(ends_of(resource.stats()) == ends{.submitted = 3, .failed = 1, .rejected = 2});
  }
  SECTION("rejected, the resource being closed") {
    const counter resource(home, 0);
    resource.async_close(asio::detached);
    resource.async_invoke(nothing, [](std::exception_ptr) {});
    settle(home);
    expected.rejected = 1;
    CHECK(ends_of(resource.stats()) == expected);
  }
}

TEST_CASE("what is refused after home's shutdown is counted, too", "[async_resource][stats]") {
  auto home = std::make_unique<asio::io_context>();
  const counter resource(*home, 0);
  home.reset();
  CHECK_THROWS_AS(resource.async_invoke(nothing, asio::use_future).get(), std::system_error);
  CHECK(ends_of(resource.stats()) == ends{.submitted = 1, .rejected = 1});
  CHECK(resource.stats().queued == 0);
}

TEST_CASE("an operation cancelled while it runs ends as its function does", "[async_resource][stats]") {
  const bool throws = GENERATE(false, true);
  CAPTURE(throws);
  asio::cancellation_signal signal;
  asio::io_context home;
  const counter resource(home, 0);
  resource.async_invoke(
      [&](int&) {
        signal.emit(asio::cancellation_type::terminal);
        if (throws) throw std::runtime_error("no");
      },
      asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr) {}));
  settle(home);
  CHECK(ends_of(resource.stats()) == ends{.submitted = 1, .completed = !throws, .failed = throws});
}

TEST_CASE("an operation is submitted when it is started", "[async_resource][stats]") {
  asio::io_context home;
  const counter resource(home, 0);
  auto operation = resource.async_invoke(nothing, asio::deferred);
  CHECK(ends_of(resource.stats()) == ends());
  std::move(operation)(asio::detached);
  CHECK(ends_of(resource.stats()) == ends{.submitted = 1});
}

TEST_CASE("neither a close nor the drop of a home_ptr is an operation", "[async_resource][stats]") {
  asio::io_context home;
  const counter resource(home, 0);
  std::array<home_ptr<int>, 3> pointers;
  resource.async_invoke(
      [&](int&) {
        for (auto& pointer : pointers) pointer = asyncres::make_home_ptr<int>(resource, 1);
      },
      asio::detached);
  settle(home);
  for (auto& pointer : pointers) pointer.reset();
  CHECK(resource.stats().queued == 0);
  settle(home);
  resource.async_close(asio::detached);
  settle(home);
  CHECK(ends_of(resource.stats()) == ends{.submitted = 1, .completed = 1});
  CHECK(resource.stats().queued == 0);
  CHECK(resource.stats().high_water == 1);
}

TEST_CASE("queued and running say what is there now", "[async_resource][stats]") {
  constexpr std::size_t total = 5;
  asio::io_context home;
  const counter resource(home, 0);
  std::vector<std::pair<std::size_t, std::size_t>> seen;
  for (std::size_t i = 0; i < total; ++i) {
    resource.async_invoke(
        [&](int&) {
          const auto stats = resource.stats();
          seen.emplace_back(stats.queued, stats.running);
        },
        asio::detached);
    CHECK(resource.stats().queued == i + 1);
  }
  CHECK(resource.stats().running == 0);
  settle(home);
  CHECK(seen == std::vector<std::pair<std::size_t, std::size_t>>{{4, 1}, {3, 1}, {2, 1}, {1, 1}, {0, 1}});
  CHECK(resource.stats().queued == 0);
  CHECK(resource.stats().running == 0);
}

TEMPLATE_TEST_CASE("another thread sees what is queued and running behind a function that takes its time",
                   "[async_resource][stats]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr std::size_t total = 10;
  resource_stats seen;
  resource_stats seen_by_copy;
  resource_stats later;
  bool was_running = false;
  {
    testing::event running;
    testing::event go_on;
    TestType home;
    const counter resource(home.context(), 0);
    const counter copy = resource;
    resource.async_invoke([&](int&) { running.set(), (void)go_on.wait(); }, asio::detached);
    was_running = running.wait();
    for (std::size_t i = 0; i < total; ++i) resource.async_invoke(nothing, asio::detached);
    seen = resource.stats();
    seen_by_copy = copy.stats();
    go_on.set();
    home.join();
    later = resource.stats();
  }
  CHECK(was_running);
  CHECK(seen.running == 1);
  CHECK(seen.queued == total);
  CHECK(ends_of(seen) == ends{.submitted = total + 1});
  CHECK(seen_by_copy.queued == total);
  CHECK(ends_of(seen_by_copy) == ends_of(seen));
  CHECK(later.running == 0);
  CHECK(later.queued == 0);
  CHECK(later.high_water == total);
  CHECK(ends_of(later) == ends{.submitted = total + 1, .completed = total + 1});
}

TEST_CASE("high_water is the most that were queued, and does not fall", "[async_resource][stats]") {
  asio::io_context home;
  const counter resource(home, 0);
  const auto submit = [&](int n) {
    for (int i = 0; i < n; ++i) resource.async_invoke(nothing, asio::detached);
    settle(home);
  };
  submit(2);
  CHECK(resource.stats().high_water == 2);
  submit(7);
  CHECK(resource.stats().high_water == 7);
  submit(3);
  CHECK(resource.stats().high_water == 7);
}

TEST_CASE("time is taken only where it is asked for", "[async_resource][stats]") {
  constexpr auto time = std::chrono::milliseconds(2);
  const bool timed = GENERATE(false, true);
  CAPTURE(timed);
  asio::io_context home;
  const counter resource(home, resource_options{.time_operations = timed}, std::in_place, 0);
  resource.async_invoke([&](int&) { use_time(time); }, asio::detached);
  // Waits for the first one, at least.
  resource.async_invoke([&](int&) { use_time(time); }, asio::detached);
  settle(home);
  const resource_stats stats = resource.stats();
  if (timed) {
    CHECK(stats.queued_time >= time);
    CHECK(stats.running_time >= 2 * time);
  } else {
    CHECK(stats.queued_time.count() == 0);
    CHECK(stats.running_time.count() == 0);
  }
}

TEMPLATE_TEST_CASE("whatever becomes of operations, and wherever they come from, the sums are right",
                   "[async_resource][stats]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr std::size_t senders = 3;
  constexpr int each = 1'000;
  constexpr std::size_t limit = 20;
  std::array<std::list<asio::cancellation_signal>, senders> signals;
  std::atomic<std::uint64_t> completed{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> rejected{0};
  std::atomic<std::size_t> sending{senders};
  bool plausible = true;
  resource_stats last;
  {
    TestType home;
    const counter resource(home.context(), resource_options{.max_pending = limit}, std::in_place, 0);
    const auto count = [&](std::exception_ptr e) {
      try {
        if (e) std::rethrow_exception(e);
        ++completed;
      } catch (const std::system_error& s) {
        ++(s.code() == errc::queue_full ? rejected : cancelled);
      } catch (const std::runtime_error&) {
        ++failed;
      }
    };
    std::vector<std::thread> threads;
    for (auto& mine : signals)
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i) {
          const auto function = [i](int&) {
            if (i % 3 == 1) throw std::runtime_error("no");
          };
          auto& signal = mine.emplace_back();
          resource.async_invoke(function, asio::bind_cancellation_slot(signal.slot(), count));
          if (i % 2 == 1) signal.emit(asio::cancellation_type::terminal);
        }
        --sending;
      });
    while (sending > 0) {
      const resource_stats stats = resource.stats();
      plausible = plausible && stats.queued <= limit && stats.running <= 1 && stats.high_water <= limit &&
                  stats.submitted >= last.submitted && stats.submitted <= senders * each;
      last = stats;
    }
    for (auto& thread : threads) thread.join();
    home.join();
    last = resource.stats();
  }
  CHECK(plausible);
  CHECK(ends_of(last) == ends{senders * each, completed, failed, cancelled, rejected});
  CHECK(completed + failed + cancelled + rejected == senders * each);
  CHECK(last.queued == 0);
  CHECK(last.running == 0);
}
