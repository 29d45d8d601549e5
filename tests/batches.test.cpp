// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/options.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// Promises 1, 3 and 7, of functions and handlers that share a visit: it ends in time for others, and whatever one
// handler does, be it to throw, to wait or to run others, is no matter to its neighbours.

using asyncres::async_resource;
using asyncres::resource_options;

namespace {

using io_2 = testing::io_threads<2>;
using pool_2 = testing::pool_threads<2>;

struct tally {
  int hits = 0;
};

using counter = async_resource<asio::any_io_executor, tally>;

// What other work on a resource's strand sees of the functions that ran between its turns: it posts itself anew, as
// often as it is asked to.
class other_work {
 public:
  other_work(const counter& resource, const int& functions_run) : resource_(resource), functions_run_(functions_run) {}

  void take_turns(int n) {
    asio::post(resource_.get_executor(), [this, n] {
      seen_.push_back(functions_run_ - before_);
      before_ = functions_run_;
      if (n > 1) take_turns(n - 1);
    });
  }

  // The functions before each turn.
  const std::vector<int>& seen() const { return seen_; }

 private:
  const counter& resource_;
  const int& functions_run_;
  int before_ = 0;
  std::vector<int> seen_;
};

// Runs a context as often as something throws out of it. Returns what did.
std::multiset<std::string> run_whatever_is_thrown(asio::io_context& context) {
  std::multiset<std::string> thrown;
  for (;;) try {
      context.run();
      return thrown;
    } catch (const std::exception& e) {
      thrown.insert(e.what());  // Asio's multiple_exceptions would say that some have been lost.
    }
}

std::vector<int> numbers(int n) {
  std::vector<int> result(static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

std::vector<int> sorted(std::vector<int> values) {
  std::sort(values.begin(), values.end());
  return values;
}

// A resource's home, held in its first function, so that what is submitted meanwhile is there all at once.
class gate {
 public:
  explicit gate(const counter& resource) {
    resource.async_invoke(
        [this](tally&) {
          held_.set();
          (void)release_.wait();
        },
        asio::detached);
    held_in_time_ = held_.wait();
  }
  ~gate() { open(); }

  void open() {
    if (!std::exchange(opened_, true)) release_.set();
  }
  bool held_in_time() const { return held_in_time_; }

 private:
  testing::event held_;
  testing::event release_;
  bool held_in_time_ = false;
  bool opened_ = false;
};

}  // namespace

TEST_CASE("the options have defaults, and the resource is built after them", "[async_resource][batches]") {
  STATIC_REQUIRE(resource_options().quantum == 64);
  STATIC_REQUIRE(resource_options().max_visit == std::chrono::microseconds(0));
  asio::io_context home;
  const async_resource<asio::any_io_executor, std::pair<int, std::unique_ptr<int>>> resource(
      home, resource_options{.quantum = 3}, std::in_place, 1, std::make_unique<int>(2));
  auto sum = resource.async_invoke([](auto& pair) { return pair.first + *pair.second; }, asio::use_future);
  home.run();
  CHECK(sum.get() == 3);
}

TEST_CASE("a visit to a shared strand is of at most `quantum` functions", "[async_resource][batches]") {
  const std::size_t quantum = GENERATE(0u, 1u, 3u, 64u);
  CAPTURE(quantum);
  const int most = quantum == 0 ? 1 : static_cast<int>(quantum);
  constexpr int functions = 200;
  asio::io_context home;
  const counter resource(home, resource_options{.quantum = quantum}, std::in_place);
  int run = 0;
  SECTION("with all of them waiting") {
    other_work other(resource, run);
    for (int i = 0; i < functions; ++i) resource.async_invoke([&](tally&) { ++run; }, asio::detached);
    other.take_turns(functions);
    home.run();
    CHECK(run == functions);
    REQUIRE(other.seen().size() == functions);
    for (const int seen : other.seen()) CHECK(seen <= most);
  }
  SECTION("with each submitting the next") {
    other_work other(resource, run);
    const std::function<void()> submit = [&] {
      resource.async_invoke(
          [&](tally&) {
            if (++run < functions) submit();
          },
          asio::detached);
    };
    submit();
    other.take_turns(functions);
    home.run();
    CHECK(run == functions);
    REQUIRE(other.seen().size() == functions);
    for (const int seen : other.seen()) CHECK(seen <= most);
  }
}

TEST_CASE("a visit ends with the function that reaches `max_visit`", "[async_resource][batches]") {
  constexpr auto max_visit = std::chrono::microseconds(200);
  constexpr int functions = 5;
  asio::io_context home;
  const counter resource(home, resource_options{.max_visit = max_visit}, std::in_place);
  int run = 0;
  other_work other(resource, run);
  const auto use_time = [&](tally&) {
    const auto until = std::chrono::steady_clock::now() + 2 * max_visit;
    while (std::chrono::steady_clock::now() < until) continue;
    ++run;
  };
  for (int i = 0; i < functions; ++i) resource.async_invoke(use_time, asio::detached);
  other.take_turns(functions);
  home.run();
  CHECK(other.seen() == std::vector<int>(functions, 1));
}

TEST_CASE("without `max_visit` the clock is no matter", "[async_resource][batches]") {
  constexpr int functions = 5;
  asio::io_context home;
  const counter resource(home, resource_options{}, std::in_place);
  int run = 0;
  other_work other(resource, run);
  const auto use_time = [&](tally&) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(400);
    while (std::chrono::steady_clock::now() < until) continue;
    ++run;
  };
  for (int i = 0; i < functions; ++i) resource.async_invoke(use_time, asio::detached);
  other.take_turns(1);
  home.run();
  CHECK(other.seen() == std::vector{functions});
}

TEMPLATE_TEST_CASE("functions and handlers keep their order from one visit to the next", "[async_resource][batches]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int operations = 500;
  const std::size_t quantum = GENERATE(0u, 1u, 3u, 64u);
  CAPTURE(quantum);
  std::vector<int> run;
  std::vector<int> handled;
  asio::io_context callers;
  {
    TestType home;
    const counter resource(home.context(), resource_options{.quantum = quantum}, std::in_place);
    for (int i = 0; i < operations; ++i)
      resource.async_invoke([&run, i](tally&) { run.push_back(i); },
                            asio::bind_executor(callers, [&handled, i](std::exception_ptr) { handled.push_back(i); }));
    // Handlers that go to one single-threaded context run in the order in which the functions ended.
    callers.run();
    home.join();
  }
  CHECK(run == numbers(operations));
  CHECK(handled == numbers(operations));
}

TEST_CASE("a handler that throws takes none of its neighbours with it", "[async_resource][batches]") {
  constexpr int operations = 150;
  const std::set<int> throwing =
      GENERATE(std::set{0}, std::set{operations - 1}, std::set{0, 1, 2}, std::set{5, 64, 65, 100}, std::set<int>{});
  const bool together = GENERATE(false, true);
  CAPTURE(throwing, together);
  asio::io_context callers;
  asio::io_context elsewhere;
  asio::io_context& home = together ? callers : elsewhere;
  const counter resource(home.get_executor());
  std::vector<int> handled;
  std::multiset<std::string> expected;
  for (const int i : throwing) expected.insert(std::to_string(i));
  const auto handler = [&](int i) {
    return [&, i](std::exception_ptr) {
      handled.push_back(i);
      if (throwing.contains(i)) throw std::runtime_error(std::to_string(i));
    };
  };

  SECTION("callbacks") {
    for (int i = 0; i < operations; ++i)
      resource.async_invoke([](tally& t) { ++t.hits; }, asio::bind_executor(callers, handler(i)));
    elsewhere.run();
    CHECK(run_whatever_is_thrown(callers) == expected);
    CHECK(sorted(handled) == numbers(operations));
  }
  SECTION("coroutines") {
    const auto visit = [&resource]() -> asio::awaitable<void> {
      co_await resource.async_invoke([](tally& t) { ++t.hits; });
    };
    for (int i = 0; i < operations; ++i) asio::co_spawn(callers, visit(), handler(i));
    if (!together) {
      callers.poll();
      elsewhere.run();
    }
    CHECK(run_whatever_is_thrown(callers) == expected);
    CHECK(sorted(handled) == numbers(operations));
  }
  SECTION("coroutines that throw") {
    const auto visit = [&](int i) -> asio::awaitable<void> {
      co_await resource.async_invoke([](tally& t) { ++t.hits; });
      handled.push_back(i);
      if (throwing.contains(i)) throw std::runtime_error(std::to_string(i));
    };
    for (int i = 0; i < operations; ++i)
      asio::co_spawn(callers, visit(i), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
      });
    if (!together) {
      callers.poll();
      elsewhere.run();
    }
    CHECK(run_whatever_is_thrown(callers) == expected);
    CHECK(sorted(handled) == numbers(operations));
  }
  // The resource is none the worse for it.
  auto hits = resource.async_invoke([](tally& t) { return t.hits; }, asio::use_future);
  home.restart();
  home.run();
  CHECK(hits.get() == operations);
}

TEST_CASE("a handler that throws may have submitted before: that is on its way", "[async_resource][batches]") {
  const bool together = GENERATE(false, true);
  CAPTURE(together);
  asio::io_context callers;
  asio::io_context elsewhere;
  asio::io_context& home = together ? callers : elsewhere;
  const counter resource(home.get_executor());
  bool again = false;
  resource.async_invoke([](tally& t) { ++t.hits; }, asio::bind_executor(callers, [&](std::exception_ptr) {
                          resource.async_invoke(
                              [](tally& t) { ++t.hits; },
                              asio::bind_executor(callers, [&](std::exception_ptr) { again = true; }));
                          throw std::runtime_error("thrown");
                        }));
  elsewhere.run();
  CHECK_THROWS_AS(callers.run(), std::runtime_error);
  elsewhere.restart();
  elsewhere.run();
  callers.run();
  CHECK(again);
}

// Handlers that each wait for all of the others are lost if two of them are kept for one thread.
TEMPLATE_TEST_CASE("as many handlers run at a time as the context has threads", "[async_resource][batches]", io_2,
                   testing::io_4, pool_2, testing::pool_4) {
  constexpr int threads = static_cast<int>(TestType::threads);
  std::atomic<int> met{0};
  std::atomic<int> waiting{threads};
  const auto check = [&](const auto& submit) {
    testing::event all_there;
    submit([&](std::exception_ptr) {
      if (--waiting == 0) all_there.set();
      met += all_there.wait();
    });
  };
  SECTION("with home elsewhere") {
    testing::pool_1 home;
    TestType callers;
    const counter resource(home.context());
    check([&](auto handler) {
      gate held(resource);
      for (int i = 0; i < threads; ++i)
        resource.async_invoke([](tally& t) { ++t.hits; }, asio::bind_executor(callers.get_executor(), handler));
      held.open();
      callers.join();
      CHECK(held.held_in_time());
    });
  }
  SECTION("with home there as well") {
    TestType context;
    const counter resource(context.context());
    check([&](auto handler) {
      gate held(resource);
      for (int i = 0; i < threads; ++i) resource.async_invoke([](tally& t) { ++t.hits; }, handler);
      held.open();
      context.join();
      CHECK(held.held_in_time());
    });
  }
  SECTION("coroutines") {
    testing::pool_1 home;
    TestType callers;
    const counter resource(home.context());
    check([&](auto handler) {
      gate held(resource);
      testing::event asked;
      std::atomic<int> asking{threads};
      const auto visit = [&]() -> asio::awaitable<void> {
        if (--asking == 0) asked.set();
        co_await resource.async_invoke([](tally& t) { ++t.hits; });
        handler(nullptr);
      };
      for (int i = 0; i < threads; ++i) asio::co_spawn(callers.get_executor(), visit(), asio::detached);
      CHECK(asked.wait());
      held.open();
      callers.join();
      CHECK(held.held_in_time());
    });
  }
  CHECK(met == threads);
}

TEMPLATE_TEST_CASE("no completion waits for a later function", "[async_resource][batches]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int operations = 100;
  std::array<testing::event, operations> handled;
  std::atomic<int> waited_in_vain{0};
  testing::pool_1 home;
  TestType callers;
  const counter resource(home.context());
  {
    gate held(resource);
    for (int i = 0; i < operations; ++i) {
      const auto n = static_cast<std::size_t>(i);
      resource.async_invoke(
          [&, n](tally&) {
            if (n > 0 && waited_in_vain == 0) waited_in_vain += !handled[n - 1].wait();
          },
          asio::bind_executor(callers.get_executor(), [&, n](std::exception_ptr) { handled[n].set(); }));
    }
    held.open();
    CHECK(held.held_in_time());
    callers.join();
  }
  CHECK(waited_in_vain == 0);
}

TEMPLATE_TEST_CASE("a handler may wait for a function that it has submitted elsewhere", "[async_resource][batches]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int operations = 10;
  std::atomic<int> in_vain{0};
  std::atomic<int> handled{0};
  testing::pool_1 home;
  testing::io_1 other_home;
  TestType callers;
  const counter resource(home.context());
  const counter other(other_home.context());
  const auto wait_for = [&](const counter& there) {
    const auto run = std::make_shared<testing::event>();
    there.async_invoke([run](tally&) { run->set(); }, asio::detached);
    in_vain += !run->wait();
    ++handled;
  };
  SECTION("from a callback") {
    gate held(resource);
    for (int i = 0; i < operations; ++i)
      resource.async_invoke([](tally& t) { ++t.hits; },
                            asio::bind_executor(callers.get_executor(), [&, i](std::exception_ptr) {
                              if (in_vain == 0) wait_for(i % 2 ? other : resource);
                            }));
    held.open();
    callers.join();
    CHECK(held.held_in_time());
  }
  SECTION("from a coroutine") {
    const auto visit = [&](int i) -> asio::awaitable<void> {
      co_await resource.async_invoke([](tally& t) { ++t.hits; });
      if (in_vain == 0) wait_for(i % 2 ? other : resource);
    };
    for (int i = 0; i < operations; ++i) asio::co_spawn(callers.get_executor(), visit(i), asio::detached);
    callers.join();
  }
  SECTION("by a future") {
    resource.async_invoke([](tally& t) { ++t.hits; },
                          asio::bind_executor(callers.get_executor(), [&](std::exception_ptr) {
                            auto hits = other.async_invoke([](tally& t) { return ++t.hits; }, asio::use_future);
                            if (hits.wait_for(std::chrono::seconds(60)) == std::future_status::ready)
                              handled += operations;
                            else
                              ++in_vain;
                          }));
    callers.join();
  }
  CHECK(in_vain == 0);
  CHECK(handled == operations);
}

TEMPLATE_TEST_CASE("a handler may wait for a function that another thread of its own context can run",
                   "[async_resource][batches]", io_2, testing::io_4, pool_2, testing::pool_4) {
  constexpr int operations = 10;
  std::atomic<int> in_vain{0};
  std::atomic<int> handled{0};
  {
    TestType context;
    const counter resource(context.context());
    const auto one_at_a_time = asio::make_strand(context.get_executor());
    for (int i = 0; i < operations; ++i)
      resource.async_invoke([](tally& t) { ++t.hits; }, asio::bind_executor(one_at_a_time, [&](std::exception_ptr) {
                              if (in_vain != 0) return;
                              const auto run = std::make_shared<testing::event>();
                              resource.async_invoke([run](tally&) { run->set(); }, asio::detached);
                              in_vain += !run->wait();
                              ++handled;
                            }));
    context.join();
  }
  CHECK(in_vain == 0);
  CHECK(handled == operations);
}

TEST_CASE("a handler may run its context itself: its neighbours are called inside it", "[async_resource][batches]") {
  constexpr int operations = 10;
  const bool by_poll = GENERATE(false, true);
  const bool together = GENERATE(false, true);
  CAPTURE(by_poll, together);
  asio::io_context callers;
  asio::io_context elsewhere;
  asio::io_context& home = together ? callers : elsewhere;
  const counter resource(home.get_executor());
  std::vector<int> called;
  std::vector<int> returned;
  for (int i = 0; i < operations; ++i)
    resource.async_invoke([](tally& t) { ++t.hits; }, asio::bind_executor(callers, [&, i](std::exception_ptr) {
                            called.push_back(i);
                            const auto last = [&] { return called.size() == operations; };
                            if (by_poll)
                              for (int polls = 0; !last() && polls < 100; ++polls) callers.poll();
                            else
                              while (!last() && callers.run_one() > 0) continue;
                            returned.push_back(i);
                          }));
  elsewhere.run();
  callers.run();
  CHECK(sorted(called) == numbers(operations));
  // Each inside the one before.
  std::reverse(returned.begin(), returned.end());
  CHECK(returned == called);
}

TEST_CASE("a handler may run its context until what it has submitted is through", "[async_resource][batches]") {
  const bool by_poll = GENERATE(false, true);
  CAPTURE(by_poll);
  constexpr int operations = 10;
  asio::io_context context;
  const counter resource(context.get_executor());
  int through = 0;
  for (int i = 0; i < operations; ++i)
    resource.async_invoke([](tally& t) { ++t.hits; },
                          [&](std::exception_ptr) {
                            bool done = false;
                            resource.async_invoke([](tally& t) { ++t.hits; }, [&](std::exception_ptr) { done = true; });
                            if (by_poll)
                              for (int polls = 0; !done && polls < 100; ++polls) context.poll();
                            else
                              while (!done && context.run_one() > 0) continue;
                            through += done;
                          });
  context.run();
  CHECK(through == operations);
}

TEMPLATE_TEST_CASE("functions, results and handlers that only move share a visit", "[async_resource][batches]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int operations = 200;
  std::atomic<int> sum{0};
  std::atomic<int> failures{0};
  {
    TestType home;
    TestType callers;
    const counter resource(home.context());
    gate held(resource);
    for (int i = 0; i < operations; ++i) {
      auto function = [owned = std::make_unique<int>(1)](tally& t) mutable {
        ++t.hits;
        return std::move(owned);
      };
      auto handler = [&, owned = std::make_unique<int>(1)](std::exception_ptr e, std::unique_ptr<int> result) {
        if (e || !result) ++failures;
        if (result) sum += *owned + *result;
      };
      resource.async_invoke(std::move(function), asio::bind_executor(callers.get_executor(), std::move(handler)));
    }
    const auto visit = [&](int n) -> asio::awaitable<void> {
      auto function = [owned = std::make_unique<int>(n)](tally& t) mutable {
        ++t.hits;
        return std::move(owned);
      };
      const auto result = co_await resource.async_invoke(std::move(function));
      sum += result ? *result + 1 : 0;
    };
    for (int i = 0; i < operations; ++i) asio::co_spawn(callers.get_executor(), visit(1), asio::detached);
    held.open();
    CHECK(held.held_in_time());
    callers.join();
  }
  CHECK(failures == 0);
  CHECK(sum == 4 * operations);
}
