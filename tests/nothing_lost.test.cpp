// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/double_dispatch.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "support/contexts.hpp"
#include "support/error_codes.hpp"
#include "support/executors.hpp"

// Promise 8: nothing is lost, nothing runs twice. Pitfalls 9, 11 and 12.

using asyncres::async_resource;

namespace {

// Counts the objects alive, and those that died with `here()` untrue.
struct census {
  std::atomic<int> alive{0};
  std::atomic<int> born{0};
  std::atomic<int> died_elsewhere{0};
};

template <class Here>
class citizen {
 public:
  citizen(census& census, Here here) : census_(&census), here_(std::move(here)) { ++census_->alive, ++census_->born; }
  citizen(citizen&& other) noexcept : census_(std::exchange(other.census_, nullptr)), here_(other.here_) {}
  citizen& operator=(citizen&&) = delete;
  ~citizen() {
    if (!census_) return;
    --census_->alive;
    if (!here_()) ++census_->died_elsewhere;
  }

 private:
  census* census_;
  Here here_;
};

}  // namespace

TEMPLATE_TEST_CASE("the resource is destroyed at home when the last handle is dropped elsewhere",
                   "[async_resource][nothing_lost]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  auto strand = asio::make_strand(home.get_executor());
  const auto at_home = [strand] { return strand.running_in_this_thread(); };
  using resident = citizen<decltype(at_home)>;
  census residents;
  {
    auto resource = asyncres::make_async_resource<resident>(strand, residents, at_home);
    auto copy = resource;
    auto moved = std::move(resource);
    moved.async_invoke([](resident&) {}, asio::detached);
  }
  home.join();
  CHECK(residents.born == 1);
  CHECK(residents.alive == 0);
  CHECK(residents.died_elsewhere == 0);
}

TEMPLATE_TEST_CASE("a busy queue keeps the resource alive, and each queued function runs once",
                   "[async_resource][nothing_lost]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  std::atomic<int> runs{0};
  std::atomic<int> handled{0};
  std::atomic<bool> destroyed{false};
  std::atomic<int> late{0};
  struct flag {
    std::atomic<bool>* destroyed;
    explicit flag(std::atomic<bool>& where) : destroyed(&where) {}
    ~flag() { *destroyed = true; }
  };
  {
    async_resource<asio::any_io_executor, flag> resource(home.context(), destroyed);
    for (int i = 0; i < 1'000; ++i)
      resource.async_invoke([&](flag& f) { ++runs, late += *f.destroyed; }, [&](std::exception_ptr) { ++handled; });
  }
  home.join();
  CHECK(runs == 1'000);
  CHECK(handled == 1'000);
  CHECK(late == 0);
  CHECK(destroyed);
}

TEMPLATE_TEST_CASE("an operation that was not started keeps the resource alive", "[async_resource][nothing_lost]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  auto handle = std::make_optional<async_resource<asio::any_io_executor, int>>(home.context(), 41);
  auto operation = handle->async_invoke([](int& i) { return ++i; }, asio::deferred);
  handle.reset();
  CHECK(std::move(operation)(asio::use_future).get() == 42);
}

// Pitfall 12.
TEMPLATE_TEST_CASE("a function is destroyed at home once it has run", "[async_resource][nothing_lost]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  const auto at_home = [strand = resource.get_executor()] { return strand.running_in_this_thread(); };
  census functions;
  for (int i = 0; i < 100; ++i) resource.async_invoke([keep = citizen(functions, at_home)](int&) {}, asio::detached);
  home.join();
  CHECK(functions.alive == 0);
  CHECK(functions.died_elsewhere == 0);
}

// Pitfall 12.
TEMPLATE_TEST_CASE("a result that nobody received, the handler's context being gone, is destroyed at home",
                   "[async_resource][nothing_lost]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  testing::event run;
  testing::event running;
  testing::event gone;
  TestType home;
  auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  const auto at_home = [strand = resource.get_executor()] { return strand.running_in_this_thread(); };
  using result = std::unique_ptr<citizen<decltype(at_home)>>;
  census results;
  std::atomic<int> handled{0};
  auto owned = std::make_shared<int>();

  SECTION("with the completion already posted") {
    auto callers = std::make_optional<asio::io_context>();
    resource.async_invoke([&](int&) { return std::make_unique<citizen<decltype(at_home)>>(results, at_home); },
                          asio::bind_executor(*callers, [&, owned](std::exception_ptr, result) { ++handled; }));
    resource.async_invoke([&](int&) { run.set(); }, asio::detached);
    const bool was_run = run.wait();
    callers.reset();
    CHECK(was_run);
  }
  SECTION("with the function still running") {
    auto callers = std::make_optional<asio::io_context>();
    resource.async_invoke(
        [&](int&) {
          running.set();
          (void)gone.wait();
          return std::make_unique<citizen<decltype(at_home)>>(results, at_home);
        },
        asio::bind_executor(*callers, [&, owned](std::exception_ptr, result) { ++handled; }));
    const bool was_running = running.wait();
    callers.reset();
    CHECK(owned.use_count() == 1);
    gone.set();
    CHECK(was_running);
  }
  SECTION("with the function still queued: it runs all the same") {
    auto callers = std::make_optional<asio::io_context>();
    resource.async_invoke([&](int&) { (void)gone.wait(); }, asio::detached);
    resource.async_invoke([&](int&) { return std::make_unique<citizen<decltype(at_home)>>(results, at_home); },
                          asio::bind_executor(*callers, [&, owned](std::exception_ptr, result) { ++handled; }));
    callers.reset();
    CHECK(owned.use_count() == 1);
    gone.set();
  }
  home.join();
  CHECK(handled == 0);
  CHECK(owned.use_count() == 1);
  CHECK(results.born == 1);
  CHECK(results.alive == 0);
  CHECK(results.died_elsewhere == 0);
}

TEMPLATE_TEST_CASE("home destroyed with operations queued destroys functions, handlers and the resource, uncalled",
                   "[async_resource][nothing_lost]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int queued = 100;
  census things;
  const auto anywhere = [] { return true; };
  using thing = citizen<decltype(anywhere)>;
  std::atomic<int> called{0};
  asio::io_context callers;
  {
    TestType home;
    async_resource<asio::any_io_executor, thing> resource(home.context(), things, anywhere);
    home.context().stop();
    for (int i = 0; i < queued; ++i)
      resource.async_invoke(
          [&, keep = thing(things, anywhere)](thing&) { ++called; },
          asio::bind_executor(callers, [&, keep = thing(things, anywhere)](std::exception_ptr) { ++called; }));
    home.shut_down();
    CHECK(things.alive == 0);
  }
  CHECK(things.born == 2 * queued + 1);
  // The work they kept on their own executor is gone with them.
  CHECK(callers.run() == 0);
  CHECK(called == 0);
}

TEST_CASE("both contexts may be destroyed with an operation anywhere on its way, in either order",
          "[async_resource][nothing_lost]") {
  census things;
  const auto anywhere = [] { return true; };
  using thing = citizen<decltype(anywhere)>;
  const auto run = [&](int steps, bool home_first) {
    auto home = std::make_unique<testing::manual_context>();
    auto callers = std::make_unique<testing::manual_context>();
    async_resource<testing::manual_context::executor_type, thing> resource(*home, things, anywhere);
    int handled = 0;
    resource.async_invoke(
        [&, keep = thing(things, anywhere)](thing&) { return std::make_unique<thing>(things, anywhere); },
        asio::bind_executor(callers->get_executor(), [&, keep = thing(things, anywhere)](
                                                         std::exception_ptr, std::unique_ptr<thing>) { ++handled; }));
    for (int i = 0; i < steps; ++i)
      if (!home->run_one()) callers->run_one();
    if (home_first) {
      home.reset();
      callers.reset();
    } else {
      callers.reset();
      home->run();
      home.reset();
    }
    return handled;
  };
  for (const bool home_first : {true, false})
    for (int steps = 0; steps < 6; ++steps) {
      const int handled = run(steps, home_first);
      CAPTURE(home_first, steps);
      CHECK(handled == (steps >= 2));
      CHECK(things.alive == 0);
    }
}

// Pitfall 9.
TEMPLATE_TEST_CASE("a submission after home's context was shut down gets errc::closed",
                   "[async_resource][nothing_lost]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 1);
  const auto copy = resource;
  auto deferred = resource.async_invoke([](int& i) { return i; }, asio::deferred);
  home.shut_down();

  const auto code_of = [](std::future<int> future) { return testing::code_thrown_by([&] { future.get(); }); };
  CHECK(code_of(copy.async_invoke([](int& i) { return i; }, asio::use_future)) == asyncres::errc::closed);
  CHECK(code_of(std::move(deferred)(asio::use_future)) == asyncres::errc::closed);

  asio::io_context callers;
  std::error_code code;
  census functions;
  const auto here = [thread = std::this_thread::get_id()] { return thread == std::this_thread::get_id(); };
  copy.async_invoke([keep = citizen(functions, here)](int&, std::error_code&) {},
                    asio::bind_executor(callers, [&](std::error_code e) { code = e; }));
  CHECK(functions.alive == 0);
  CHECK(functions.died_elsewhere == 0);
  CHECK_FALSE(code);
  callers.run();
  CHECK(code == asyncres::errc::closed);
}

TEST_CASE("a refused operation completes at once through an immediate executor", "[async_resource][nothing_lost]") {
  auto home = std::make_optional<asio::io_context>();
  async_resource<asio::any_io_executor, int> resource(*home, 1);
  home.reset();
  asio::io_context callers;
  std::error_code code;
  resource.async_invoke(
      [](int&, std::error_code&) {},
      asio::bind_immediate_executor(testing::eager_executor(callers), [&](std::error_code e) { code = e; }));
  CHECK(code == asyncres::errc::closed);
}

TEST_CASE("a refused operation reaches a handler on a new context, even where home's was",
          "[async_resource][nothing_lost]") {
  std::optional<asio::io_context> context(std::in_place);
  async_resource<asio::any_io_executor, int> resource(*context, 1);
  context.reset();
  context.emplace();
  std::error_code code;
  resource.async_invoke([](int&, std::error_code&) {},
                        asio::bind_executor(*context, [&](std::error_code e) { code = e; }));
  context->run();
  CHECK(code == asyncres::errc::closed);
}

TEST_CASE("a refused operation whose handler's context goes at once destroys the handler",
          "[async_resource][nothing_lost]") {
  auto home = std::make_optional<asio::io_context>();
  async_resource<asio::any_io_executor, int> resource(*home, 1);
  home.reset();
  auto owned = std::make_shared<int>();
  bool called = false;
  for (int i = 0; i < 100; ++i) {
    asio::io_context callers;
    resource.async_invoke([](int&) {}, asio::bind_executor(callers, [&, owned](std::exception_ptr) { called = true; }));
  }
  CHECK(owned.use_count() == 1);
  CHECK_FALSE(called);
}

namespace {

// A function that throws when it is moved for the n-th time.
struct reluctant {
  explicit reluctant(int n) : moves_left(n) {}
  reluctant(reluctant&& other) : moves_left(other.moves_left - 1), owned(other.owned) {
    if (moves_left == 0) throw std::runtime_error("moved once too often");
  }
  void operator()(int&) const {}
  void operator()() const {}

  int moves_left;
  std::shared_ptr<int> owned = std::make_shared<int>();
};

}  // namespace

TEST_CASE("a function whose move throws leaves the caller with a throw, and nothing behind",
          "[async_resource][nothing_lost]") {
  for (int moves = 1; moves < 8; ++moves) {
    CAPTURE(moves);
    auto owned = std::make_shared<int>();
    // The handler may be the last owner of home's context.
    auto context = std::make_shared<asio::io_context>();
    async_resource<asio::any_io_executor, int> resource(*context, 1);
    asio::io_context callers;
    int called = 0;
    const auto submit = [&](auto start) {
      try {
        start(reluctant(moves), asio::bind_executor(callers, [&called, owned](std::exception_ptr) { ++called; }));
      } catch (const std::runtime_error&) {
        --called;
      }
    };
    submit([&](auto function, auto handler) { resource.async_invoke(std::move(function), std::move(handler)); });
    submit([&](auto function, auto handler) {
      asyncres::double_dispatch(context->get_executor(), std::move(function), std::move(handler));
    });
    context->run();
    callers.run();
    CHECK((called == 2 || called == 0 || called == -2));
    CHECK(owned.use_count() == 1);

    context->restart();
    try {
      resource.async_invoke(reluctant(moves),
                            asio::bind_executor(callers, [keep = std::move(context)](std::exception_ptr) {}));
    } catch (const std::runtime_error&) {
    }
  }
}

TEST_CASE("an executor that cannot take the first operation leaves the caller with a throw and nothing changed",
          "[async_resource][nothing_lost]") {
  testing::manual_context home;
  async_resource<testing::manual_context::executor_type, int> resource(home, 1);
  int called = 0;
  auto owned = std::make_shared<int>();
  home.fail_next(1);
  CHECK_THROWS_AS(resource.async_invoke([owned](int&) {}, [&, owned](std::exception_ptr) { ++called; }),
                  std::bad_alloc);
  CHECK(owned.use_count() == 1);
  CHECK(home.run() == 0);

  // Asio's strand does not survive it: the resource says so, rather than to let what comes later wait for ever.
  std::error_code code;
  resource.async_invoke([owned](int&, std::error_code&) {}, [&, owned](std::error_code e) { code = e; });
  home.run();
  CHECK(code == asyncres::errc::closed);
  CHECK(called == 0);
  CHECK(owned.use_count() == 1);
}

TEST_CASE("a resource may hold a handle to itself: the shutdown of its context ends the cycle",
          "[async_resource][nothing_lost]") {
  struct narcissus {
    std::optional<async_resource<asio::any_io_executor, narcissus>> self;
    std::shared_ptr<int> owned;
  };
  auto owned = std::make_shared<int>();
  {
    asio::io_context home;
    async_resource<asio::any_io_executor, narcissus> resource(home);
    resource.async_invoke([resource, owned](narcissus& n) { n.self = resource, n.owned = owned; }, asio::detached);
    home.run();
    CHECK(owned.use_count() == 2);
  }
  CHECK(owned.use_count() == 1);
}

// Pitfall 11: what a deferred operation holds are copies.
TEST_CASE("an operation holds copies: what it was made from may go before it starts",
          "[async_resource][nothing_lost]") {
  asio::io_context context;
  const auto make = [&] {
    async_resource<asio::any_io_executor, int> resource(context, 20);
    auto add = [n = std::make_shared<int>(22)](int& i) { return i + *n; };
    return resource.async_invoke(add, asio::deferred);
  };
  auto operation = make();
  auto sum = std::move(operation)(asio::use_future);
  context.run();
  CHECK(sum.get() == 42);
}
