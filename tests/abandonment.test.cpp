// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "support/contexts.hpp"

// Promise 8, of operations whose memory may be the frame of the coroutine that awaits them: a context destroyed with
// operations queued, running or completing destroys each handler once, and the frame of a coroutine with it.

using asyncres::async_resource;

namespace {

// Counts the objects of one kind.
struct census {
  std::atomic<int> born{0};
  std::atomic<int> alive{0};
  // Those that died where they should not have.
  std::atomic<int> died_elsewhere{0};
};

// Counted once however often it is moved. With `at_home`, it should die where that is true.
class citizen {
 public:
  explicit citizen(census& c, const std::function<bool()>* at_home = nullptr) : census_(&c), at_home_(at_home) {
    ++census_->born, ++census_->alive;
  }
  citizen(citizen&& other) noexcept : census_(std::exchange(other.census_, nullptr)), at_home_(other.at_home_) {}
  citizen& operator=(citizen&&) = delete;
  ~citizen() {
    if (!census_) return;
    if (at_home_ && *at_home_ && !(*at_home_)()) ++census_->died_elsewhere;
    --census_->alive;
  }

 private:
  census* census_;
  const std::function<bool()>* at_home_;
};

struct population {
  census frames;  // Of coroutines, or what a callback holds.
  census functions;
  census results;
  census residents;
  std::atomic<int> called{0};
  std::atomic<int> handled{0};
  // Empty: functions and results may die anywhere, since home does not run.
  std::function<bool()> at_home;

  const std::function<bool()>* where() const { return at_home ? &at_home : nullptr; }
};

struct resident {
  explicit resident(population& p) : self(p.residents) {}
  citizen self;
};

using handle = async_resource<asio::any_io_executor, resident>;
using result = std::unique_ptr<citizen>;

enum class style { callback, coroutine, coroutine_on_strand };

std::function<void()> nothing = [] {};

auto make_function(population& p, std::function<void()>& inside) {
  return [&p, &inside, self = citizen(p.functions, p.where())](resident&) {
    ++p.called;
    inside();
    return std::make_unique<citizen>(p.results, p.where());
  };
}

// Owns its handle: where the others have gone, it is the last.
asio::awaitable<void> ask(handle resource, population& p, std::function<void()>& inside) {
  const citizen frame(p.frames);
  auto function = make_function(p, inside);
  const auto received = co_await resource.async_invoke(std::move(function));
  ++p.handled;
}

// One operation, on its way once `callers` has been polled.
template <class Executor>
void start(style how, const Executor& callers, const handle& resource, population& p,
           std::function<void()>& inside = nothing) {
  switch (how) {
    case style::callback:
      resource.async_invoke(
          make_function(p, inside),
          asio::bind_executor(callers, [&p, frame = citizen(p.frames)](std::exception_ptr, result) { ++p.handled; }));
      break;
    case style::coroutine: asio::co_spawn(callers, ask(resource, p, inside), asio::detached); break;
    case style::coroutine_on_strand:
      asio::co_spawn(asio::make_strand(callers), ask(resource, p, inside), asio::detached);
      break;
  }
}

// Nothing is left of it all, and each thing died once, and where it should.
void check_extinct(const population& p, int operations) {
  CHECK(p.frames.born == operations);
  CHECK(p.frames.alive == 0);
  CHECK(p.functions.alive == 0);
  CHECK(p.functions.died_elsewhere == 0);
  CHECK(p.results.born == p.called);
  CHECK(p.results.alive == 0);
  CHECK(p.residents.born == 1);
  CHECK(p.residents.alive == 0);
  CHECK(p.called <= operations);
  CHECK(p.handled <= p.called);
}

// A resource whose functions wait until it is released. The thread that it lives on must be another.
class held_resource {
 public:
  template <class Context>
  held_resource(Context& home, population& p) : resource_(std::in_place, home, p) {
    p.at_home = [strand = resource_->get_executor()] { return strand.running_in_this_thread(); };
    resource_->async_invoke(
        [this](resident&) {
          held_.set();
          (void)release_.wait();
        },
        asio::detached);
    held_in_time_ = held_.wait();
  }

  const handle& operator*() const { return *resource_; }
  void release() { release_.set(); }
  void drop_handle() { resource_.reset(); }
  bool held_in_time() const { return held_in_time_; }

 private:
  testing::event held_;
  testing::event release_;
  std::optional<handle> resource_;
  bool held_in_time_ = false;
};

// Runs one function that is ready, if one is, whether or not the context has run out of work before.
bool step(asio::io_context& context) {
  context.restart();
  return context.poll_one() > 0;
}

auto styles() {
  return GENERATE(style::callback, style::coroutine, style::coroutine_on_strand);
}
auto amounts() {
  return GENERATE(1, 100);
}

}  // namespace

// What a single thread can do: every point at which a context can go.
TEST_CASE("two contexts may be destroyed in either order, with operations anywhere on their way",
          "[async_resource][abandonment]") {
  const style how = styles();
  const int operations = GENERATE(1, 3, 100);
  const bool home_first = GENERATE(false, true);
  const bool last_handles = GENERATE(false, true);
  CAPTURE(int(how), operations, home_first, last_handles);
  // Home goes on, once the callers have gone, or does not.
  const bool home_goes_on = GENERATE(false, true);

  int previously = -1;
  for (int steps = 0;; ++steps) {
    CAPTURE(steps);
    population p;
    auto home = std::make_unique<asio::io_context>();
    auto callers = std::make_unique<asio::io_context>();
    std::optional<handle> resource(std::in_place, *home, p);
    for (int i = 0; i < operations; ++i) start(how, callers->get_executor(), *resource, p);
    if (last_handles) resource.reset();
    int done = 0;
    while (done < steps && (step(*callers) || step(*home))) ++done;

    if (home_first) {
      home.reset();
      callers.reset();
    } else {
      callers.reset();
      CHECK(p.frames.alive == 0);
      if (home_goes_on) home->poll();
      home.reset();
    }
    check_extinct(p, how == style::callback ? operations : p.frames.born.load());
    CHECK(p.frames.born <= operations);
    if (done == previously) {
      CHECK(p.handled == operations);
      break;
    }
    previously = done;
  }
}

TEST_CASE("one context may be destroyed with operations anywhere on their way", "[async_resource][abandonment]") {
  const style how = styles();
  const int operations = GENERATE(1, 3, 100);
  const bool last_handles = GENERATE(false, true);
  CAPTURE(int(how), operations, last_handles);
  int previously = -1;
  for (int steps = 0;; ++steps) {
    CAPTURE(steps);
    population p;
    auto context = std::make_unique<asio::io_context>();
    std::optional<handle> resource(std::in_place, *context, p);
    for (int i = 0; i < operations; ++i) start(how, context->get_executor(), *resource, p);
    if (last_handles) resource.reset();
    int done = 0;
    while (done < steps && step(*context)) ++done;
    context.reset();
    check_extinct(p, how == style::callback ? operations : p.frames.born.load());
    if (done == previously) {
      CHECK(p.handled == operations);
      break;
    }
    previously = done;
  }
}

TEMPLATE_TEST_CASE("the callers' context may go with operations queued at a home that is busy",
                   "[async_resource][abandonment]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = styles();
  const int operations = amounts();
  CAPTURE(int(how), operations);
  population p;
  TestType home;
  held_resource resource(home.context(), p);
  auto callers = std::make_optional<asio::io_context>();
  for (int i = 0; i < operations; ++i) start(how, callers->get_executor(), *resource, p);
  callers->poll();

  SECTION("with handles elsewhere") {}
  SECTION("with the last handles in the frames") {
    resource.drop_handle();
  }

  callers.reset();
  const int frames_alive = p.frames.alive;
  resource.release();
  resource.drop_handle();
  home.join();
  p.at_home = nullptr;
  CHECK(resource.held_in_time());
  CHECK(frames_alive == 0);
  CHECK(p.handled == 0);
  check_extinct(p, operations);
}

TEMPLATE_TEST_CASE("the callers' context may go with a function running", "[async_resource][abandonment]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = styles();
  const int operations = amounts();
  CAPTURE(int(how), operations);
  population p;
  testing::event running;
  testing::event finish;
  std::atomic<bool> first{true};
  std::function<void()> inside = [&] {
    if (!first.exchange(false)) return;
    running.set();
    (void)finish.wait();
  };
  bool was_running = false;
  int frames_alive = -1;
  {
    TestType home;
    std::optional<handle> resource(std::in_place, home.context(), p);
    p.at_home = [strand = resource->get_executor()] { return strand.running_in_this_thread(); };
    auto callers = std::make_optional<asio::io_context>();
    for (int i = 0; i < operations; ++i) start(how, callers->get_executor(), *resource, p, inside);
    callers->poll();
    was_running = running.wait();

    // The function may be in the frame: whoever destroys that may have to wait for it.
    std::thread destroyer([&] {
      callers.reset();
      frames_alive = p.frames.alive.load();
    });
    finish.set();
    destroyer.join();
    resource.reset();
    home.join();
    p.at_home = nullptr;
  }
  CHECK(was_running);
  CHECK(frames_alive == 0);
  CHECK(p.called >= 1);
  CHECK(p.handled == 0);
  check_extinct(p, operations);
}

TEMPLATE_TEST_CASE("the callers' context may go with completions on their way", "[async_resource][abandonment]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = styles();
  const int operations = amounts();
  CAPTURE(int(how), operations);
  population p;
  bool was_run = false;
  int frames_alive = -1;
  {
    testing::event run;
    TestType home;
    // Held until all have asked, so that nothing completes in the same poll().
    held_resource resource(home.context(), p);
    auto callers = std::make_optional<asio::io_context>();
    for (int i = 0; i < operations; ++i) start(how, callers->get_executor(), *resource, p);
    callers->poll();
    (*resource).async_invoke([&](resident&) { run.set(); }, asio::detached);
    resource.release();
    was_run = resource.held_in_time() && run.wait();
    callers.reset();
    frames_alive = p.frames.alive;
    resource.drop_handle();
    home.join();
    p.at_home = nullptr;
  }
  CHECK(was_run);
  CHECK(frames_alive == 0);
  CHECK(p.called == operations);
  CHECK(p.handled == 0);
  check_extinct(p, operations);
  CHECK(p.results.died_elsewhere == 0);
}

TEMPLATE_TEST_CASE("home's context may go with operations queued: the callers' goes on",
                   "[async_resource][abandonment]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = styles();
  const int operations = amounts();
  CAPTURE(int(how), operations);
  population p;
  asio::io_context callers;
  {
    TestType home;
    handle resource(home.context(), p);
    home.context().stop();
    for (int i = 0; i < operations; ++i) start(how, callers.get_executor(), resource, p);
    callers.poll();
    home.shut_down();
    // A coroutine is unwound on its own executor; a callback may be destroyed at once.
    callers.restart();
    callers.run();
    CHECK(p.frames.alive == 0);
  }
  CHECK(p.called == 0);
  CHECK(p.handled == 0);
  check_extinct(p, operations);
}

TEMPLATE_TEST_CASE("home's context may go with a function running: it is the last that completes",
                   "[async_resource][abandonment]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = styles();
  const int operations = amounts();
  CAPTURE(int(how), operations);
  population p;
  testing::event running;
  testing::event finish;
  std::atomic<bool> first{true};
  std::function<void()> inside = [&] {
    if (!first.exchange(false)) return;
    running.set();
    (void)finish.wait();
  };
  asio::io_context callers;
  bool was_running = false;
  {
    TestType home;
    handle resource(home.context(), p);
    for (int i = 0; i < operations; ++i) start(how, callers.get_executor(), resource, p, inside);
    callers.poll();
    was_running = running.wait();
    home.context().stop();
    finish.set();
    home.shut_down();
  }
  callers.restart();
  callers.run();
  CHECK(was_running);
  CHECK(p.called >= 1);
  CHECK(p.handled == p.called);
  check_extinct(p, operations);
}

TEMPLATE_TEST_CASE("home's context may go with completions on their way: they arrive", "[async_resource][abandonment]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = styles();
  const int operations = amounts();
  CAPTURE(int(how), operations);
  population p;
  asio::io_context callers;
  bool was_run = false;
  {
    testing::event run;
    TestType home;
    handle resource(home.context(), p);
    for (int i = 0; i < operations; ++i) start(how, callers.get_executor(), resource, p);
    callers.poll();
    resource.async_invoke([&](resident&) { run.set(); }, asio::detached);
    was_run = run.wait();
    home.shut_down();
  }
  callers.restart();
  callers.run();
  CHECK(was_run);
  CHECK(p.called == operations);
  CHECK(p.handled == operations);
  check_extinct(p, operations);
}

TEMPLATE_TEST_CASE("a context may be stopped and destroyed amid a storm of its own", "[async_resource][abandonment]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  for (int round = 0; round < 30; ++round) {
    population p;
    census visitors;
    testing::event busy;
    std::atomic<int> visits{0};
    bool was_busy = false;
    {
      TestType context;
      std::optional<handle> resource(std::in_place, context.context(), p);
      const auto visit = [&](handle mine) -> asio::awaitable<void> {
        const citizen frame(visitors);
        for (;;) {
          auto function = make_function(p, nothing);
          (void)co_await mine.async_invoke(std::move(function));
          if (++visits == 200) busy.set();
        }
      };
      for (int i = 0; i < 20; ++i) asio::co_spawn(context.get_executor(), visit(*resource), asio::detached);
      resource.reset();
      was_busy = busy.wait();
      context.shut_down();
    }
    REQUIRE(was_busy);
    CHECK(visitors.alive == 0);
    CHECK(p.functions.alive == 0);
    CHECK(p.results.alive == 0);
    CHECK(p.residents.alive == 0);
  }
}

TEMPLATE_TEST_CASE("callers may be destroyed amid a storm, and home goes on", "[async_resource][abandonment]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  population p;
  census visitors;
  bool in_time = true;
  {
    TestType home;
    std::optional<handle> resource(std::in_place, home.context(), p);
    p.at_home = [strand = resource->get_executor()] { return strand.running_in_this_thread(); };
    for (int round = 0; round < 30; ++round) {
      testing::event busy;
      std::atomic<int> visits{0};
      const auto visit = [&](handle mine) -> asio::awaitable<void> {
        const citizen frame(visitors);
        for (;;) {
          auto function = make_function(p, nothing);
          // The result is received away from home, and dies there.
          (void)co_await mine.async_invoke(std::move(function));
          if (++visits == 200) busy.set();
        }
      };
      TestType callers;
      for (int i = 0; i < 20; ++i) asio::co_spawn(callers.get_executor(), visit(*resource), asio::detached);
      in_time = busy.wait() && in_time;
      callers.shut_down();
      CHECK(visitors.alive == 0);
    }
    CHECK(resource->async_invoke([](resident&) { return 42; }, asio::use_future).get() == 42);
    resource.reset();
    home.join();
    p.at_home = nullptr;
  }
  CHECK(in_time);
  CHECK(p.functions.alive == 0);
  CHECK(p.functions.died_elsewhere == 0);
  CHECK(p.results.alive == 0);
  CHECK(p.residents.alive == 0);
}

TEMPLATE_TEST_CASE("the callers' context may be destroyed inside a function of another resource",
                   "[async_resource][abandonment]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = styles();
  const int operations = amounts();
  CAPTURE(int(how), operations);
  population p;
  bool held_in_time = false;
  std::atomic<int> frames_alive{-1};
  asio::thread_pool elsewhere(1);
  const auto other = asyncres::make_async_resource<int>(elsewhere, 0);
  {
    TestType home;
    held_resource resource(home.context(), p);
    held_in_time = resource.held_in_time();
    auto callers = std::make_optional<asio::io_context>();
    for (int i = 0; i < operations; ++i) start(how, callers->get_executor(), *resource, p);
    callers->poll();
    auto gone = other.async_invoke(
        [&](int&) {
          callers.reset();
          frames_alive = p.frames.alive.load();
        },
        asio::use_future);
    gone.get();
    resource.release();
    resource.drop_handle();
    home.join();
    p.at_home = nullptr;
  }
  CHECK(held_in_time);
  CHECK(frames_alive == 0);
  CHECK(p.handled == 0);
  check_extinct(p, operations);
}

TEST_CASE("home's context may be destroyed inside a function of another resource", "[async_resource][abandonment]") {
  const style how = styles();
  const int operations = amounts();
  const int run = GENERATE(0, 1, 1'000);
  CAPTURE(int(how), operations, run);
  population p;
  asio::io_context callers;
  asio::io_context elsewhere;
  const auto other = asyncres::make_async_resource<int>(elsewhere, 0);
  auto home = std::make_optional<asio::io_context>();
  {
    const handle resource(*home, p);
    for (int i = 0; i < operations; ++i) start(how, callers.get_executor(), resource, p);
  }
  callers.poll();
  for (int i = 0; i < run && step(*home); ++i) continue;
  other.async_invoke([&](int&) { home.reset(); }, asio::detached);
  elsewhere.run();
  CHECK(p.functions.alive == 0);
  CHECK(p.residents.alive == 0);
  callers.restart();
  callers.run();
  CHECK(p.handled == p.called);
  check_extinct(p, operations);
}

TEMPLATE_TEST_CASE("a context may be destroyed inside a function with operations queued behind it",
                   "[async_resource][abandonment]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const style how = styles();
  const int operations = amounts();
  CAPTURE(int(how), operations);
  population p;
  bool held_in_time = false;
  std::atomic<int> frames_alive{-1};
  {
    TestType home;
    held_resource resource(home.context(), p);
    auto callers = std::make_optional<asio::io_context>();
    (*resource).async_invoke(
        [&](resident&) {
          callers.reset();
          frames_alive = p.frames.alive.load();
        },
        asio::detached);
    for (int i = 0; i < operations; ++i) start(how, callers->get_executor(), *resource, p);
    callers->poll();
    held_in_time = resource.held_in_time();
    resource.release();
    resource.drop_handle();
    home.join();
    p.at_home = nullptr;
  }
  CHECK(held_in_time);
  CHECK(frames_alive == 0);
  CHECK(p.handled == 0);
  check_extinct(p, operations);
}

namespace {

// Asks once more when it is destroyed.
struct parting_request {
  handle resource;
  population& p;
  std::atomic<int>& asked;
  parting_request(handle r, population& pop, std::atomic<int>& n) : resource(std::move(r)), p(pop), asked(n) {}
  parting_request(const parting_request&) = delete;
  ~parting_request() {
    resource.async_invoke(make_function(p, nothing), asio::detached);
    ++asked;
  }
};

asio::awaitable<void> ask_and_once_more(handle resource, population& p, std::atomic<int>& asked) {
  const parting_request last(resource, p, asked);
  auto function = make_function(p, nothing);
  (void)co_await resource.async_invoke(std::move(function));
}

}  // namespace

TEST_CASE("a frame that is destroyed may make a last request", "[async_resource][abandonment]") {
  const int operations = amounts();
  const bool home_first = GENERATE(false, true);
  CAPTURE(operations, home_first);
  population p;
  std::atomic<int> asked{0};
  {
    auto home = std::make_unique<asio::io_context>();
    auto callers = std::make_unique<asio::io_context>();
    std::optional<handle> resource(std::in_place, *home, p);
    for (int i = 0; i < operations; ++i)
      asio::co_spawn(*callers, ask_and_once_more(*resource, p, asked), asio::detached);
    resource.reset();
    callers->poll();
    if (home_first) home.reset();
    callers.reset();
    CHECK(asked == operations);
    home.reset();
  }
  CHECK(p.functions.alive == 0);
  CHECK(p.results.alive == 0);
  CHECK(p.residents.alive == 0);
}
