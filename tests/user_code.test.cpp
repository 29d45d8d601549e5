// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/contexts.hpp"

// What the library destroys or moves for its users may own anything: an execution context, whose end concerns every
// resource with an operation on its way there; or it may take its time. None of that may hold up a home, or meet an
// operation half dismantled.

using asyncres::async_resource;

namespace {

using counter = async_resource<asio::any_io_executor, int>;

// A function that owns an execution context.
struct owner {
  std::shared_ptr<asio::io_context> context;
  void operator()(int&) const {}
};

// Makes the context one that has had operations on their way to it.
std::shared_ptr<asio::io_context> used_context(const counter& resource) {
  auto context = std::make_shared<asio::io_context>();
  resource.async_invoke([](int&) {}, asio::bind_executor(*context, [](std::exception_ptr) {}));
  context->run();
  return context;
}

// A function whose destruction takes until it is told.
class slow {
 public:
  slow(testing::event& begun, testing::event& go_on) : begun_(&begun), go_on_(&go_on) {}
  slow(slow&& other) noexcept : begun_(std::exchange(other.begun_, nullptr)), go_on_(other.go_on_) {}
  ~slow() {
    if (!begun_) return;
    begun_->set();
    (void)go_on_->wait();
  }
  void operator()(int&) const {}

 private:
  testing::event* begun_;
  testing::event* go_on_;
};

asio::awaitable<void> use(counter resource, slow function) {
  auto operation = resource.async_invoke(std::move(function));
  co_await std::move(operation);
}

}  // namespace

TEST_CASE("a queued function may own its handler's context, when home goes", "[async_resource][user_code]") {
  auto home = std::make_unique<asio::io_context>();
  const counter resource(*home, 0);
  auto context = std::make_shared<asio::io_context>();
  const std::weak_ptr<asio::io_context> gone = context;
  int called = 0;
  const auto executor = context->get_executor();
  resource.async_invoke(owner{std::move(context)},
                        asio::bind_executor(executor, [&called](std::exception_ptr) { ++called; }));
  home.reset();
  CHECK(gone.expired());
  CHECK(called == 0);
}

TEST_CASE("home and the handlers' context may go at the same time, in two threads", "[async_resource][user_code]") {
  const bool awaited = GENERATE(false, true);
  CAPTURE(awaited);
  auto callers = std::make_unique<asio::io_context>();
  auto home = std::make_unique<asio::io_context>();
  testing::event begun;
  testing::event go_on;
  std::atomic<int> called{0};
  {
    const counter resource(*home, 0);
    if (awaited) {
      asio::co_spawn(*callers, use(resource, slow(begun, go_on)), [&called](std::exception_ptr) { ++called; });
      callers->poll();
    } else {
      resource.async_invoke(slow(begun, go_on), asio::bind_executor(*callers, [&](std::exception_ptr) { ++called; }));
    }
  }
  std::thread home_goes([&home] { home.reset(); });
  const bool was_begun = begun.wait();
  callers.reset();
  go_on.set();
  home_goes.join();
  CHECK(was_begun);
  CHECK(called == 0);
}

namespace {

// A result that owns an execution context, and can be moved once.
struct stubborn {
  stubborn() = default;
  stubborn(std::shared_ptr<asio::io_context> c, int& m) : context(std::move(c)), moves(&m) {}
  stubborn(stubborn&& other) : moves(other.moves) {
    if (moves && ++*moves == 2) throw std::runtime_error("moved once too often");
    context = std::move(other.context);
  }
  std::shared_ptr<asio::io_context> context;
  int* moves = nullptr;
};

}  // namespace

TEST_CASE("a result that cannot be moved fails its operation, and may own a context", "[async_resource][user_code]") {
  testing::pool_1 home;
  const counter resource(home.context(), 0);
  auto context = used_context(resource);
  const std::weak_ptr<asio::io_context> gone = context;
  asio::io_context callers;
  int moves = 0;
  bool failed = false;
  auto function = [&moves, owned = std::move(context)](int&) mutable { return stubborn(std::move(owned), moves); };
  resource.async_invoke(std::move(function), asio::bind_executor(callers, [&failed](std::exception_ptr e, stubborn&&) {
                          failed = e != nullptr;
                        }));
  callers.run();
  CHECK(failed);
  CHECK(resource.async_invoke([](int& n) { return ++n; }, asio::use_future).get() == 1);
  home.join();
  CHECK(gone.expired());
}

namespace {

// As a queue that another thread serves: the function has run, and all that belonged to it is gone, before execute()
// returns, which still needs the executor.
struct impatient_executor {
  std::shared_ptr<int> state;

  template <class Function>
  void execute(Function function) const {
    std::move(function)();
    ++*state;
  }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  bool operator==(const impatient_executor&) const noexcept = default;
};

}  // namespace

TEST_CASE("an operation may be gone, with its executor, before execute() returns", "[async_resource][user_code]") {
  asio::io_context home;
  const counter resource(home, 0);
  const auto state = std::make_shared<int>(0);
  int called = 0;
  resource.async_invoke([](int&) {},
                        asio::bind_executor(impatient_executor{state}, [&called](std::exception_ptr) { ++called; }));
  home.run();
  CHECK(called == 1);
  CHECK(*state == 1);
  CHECK(state.use_count() == 1);
}

namespace {

// Fails, but not before something else has been done.
struct failing_executor {
  asio::io_context* context_;
  std::function<void()>* before;

  template <class Function>
  void execute(Function) const {
    (*before)();
    throw std::bad_alloc();
  }
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  bool operator==(const failing_executor&) const noexcept = default;
};

}  // namespace

TEST_CASE("an operation that home's executor fails together with another may own a context",
          "[async_resource][user_code]") {
  testing::pool_1 elsewhere;
  const counter other(elsewhere.context(), 0);
  auto context = used_context(other);
  elsewhere.join();
  const std::weak_ptr<asio::io_context> gone = context;
  asio::io_context home;
  asio::io_context callers;
  std::function<void()> push_another;
  const async_resource<failing_executor, int> resource(failing_executor{&home, &push_another}, 0);
  bool failed = false;
  push_another = [&] {
    resource.async_invoke(owner{std::move(context)},
                          asio::bind_executor(callers, [&failed](std::exception_ptr e) { failed = e != nullptr; }));
  };
  CHECK_THROWS_AS(resource.async_invoke([](int&) {}, asio::bind_executor(callers, [](std::exception_ptr) {})),
                  std::bad_alloc);
  callers.run();
  CHECK(failed);
  CHECK(gone.expired());
}

TEST_CASE("handlers that wait for each other meet, however many there are", "[async_resource][user_code]") {
  const int operations = GENERATE(4, 64, 1000);
  CAPTURE(operations);
  testing::pool_4 callers;
  testing::pool_1 home;
  const counter resource(home.context(), 0);
  // All completions are there before the first handler is called.
  testing::event go;
  testing::event held[4];
  for (auto& each : held)
    asio::post(callers.context(), [&go, &each] {
      each.set();
      (void)go.wait();
    });
  for (auto& each : held) (void)each.wait();
  testing::event second;
  std::atomic<int> handled{0};
  std::atomic<bool> met{false};
  for (int i = 0; i < operations; ++i)
    resource.async_invoke([](int& n) { ++n; }, asio::bind_executor(callers.get_executor(), [&, i](std::exception_ptr) {
                            if (i == 0) met = second.wait();
                            if (i == 1) second.set();
                            ++handled;
                          }));
  home.join();
  go.set();
  callers.join();
  CHECK(met);
  CHECK(handled == operations);
}

TEST_CASE("a handler may run its context until another has been called, however many there are",
          "[async_resource][user_code]") {
  const int operations = GENERATE(2, 64, 1000);
  CAPTURE(operations);
  asio::io_context callers;
  testing::pool_1 home;
  const counter resource(home.context(), 0);
  int handled = 0;
  bool met = false;
  bool second = false;
  for (int i = 0; i < operations; ++i)
    resource.async_invoke([](int& n) { ++n; }, asio::bind_executor(callers, [&, i](std::exception_ptr) {
                            if (i == 1) second = true;
                            if (i == 0) {
                              while (!second && callers.run_one() > 0) continue;
                              met = second;
                            }
                            ++handled;
                          }));
  home.join();
  callers.run();
  CHECK(met);
  CHECK(handled == operations);
}
