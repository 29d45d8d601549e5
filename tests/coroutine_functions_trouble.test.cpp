// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Functions that are coroutines: what is cancelled, refused, thrown, or received by nobody.

#include <async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "support/contexts.hpp"

using asyncres::async_resource;
using asyncres::block;
using asyncres::close_mode;
using asyncres::errc;
using asyncres::resource_options;

namespace {

using resource_type = async_resource<asio::any_io_executor, int>;

asio::awaitable<void> until_cancelled() {
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

std::error_code code_of(const std::exception_ptr& failure) {
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const std::system_error& e) {
    return e.code();
  }
  return {};
}

std::error_code error_of(std::future<void> done) {
  REQUIRE(done.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  try {
    done.get();
  } catch (const std::system_error& e) {
    return e.code();
  }
  return {};
}

// Keeps a resource's home busy while it lives.
class occupation {
 public:
  explicit occupation(const resource_type& resource) {
    asio::post(resource.get_executor(), [this] {
      busy_.set();
      (void)over_.wait();
      through_.set();
    });
    REQUIRE(busy_.wait());
  }
  ~occupation() {
    over_.set();
    (void)through_.wait();
  }

 private:
  testing::event busy_, over_, through_;
};

// Tells in which thread it died, if it was alive.
class mortal {
 public:
  explicit mortal(testing::log<std::thread::id>& deaths) : deaths_(&deaths) {}
  mortal() = default;
  mortal(mortal&& other) noexcept : deaths_(std::exchange(other.deaths_, nullptr)) {}
  mortal& operator=(mortal&& other) noexcept {
    std::swap(deaths_, other.deaths_);
    return *this;
  }
  ~mortal() {
    if (deaths_) deaths_->add(std::this_thread::get_id());
  }

 private:
  testing::log<std::thread::id>* deaths_ = nullptr;
};

// Throws when it is moved for the nth time, counted from 0.
class throws_when_moved {
 public:
  throws_when_moved() = default;
  explicit throws_when_moved(int moves) : left_(std::make_shared<int>(moves)) {}
  throws_when_moved(const throws_when_moved&) = default;
  throws_when_moved(throws_when_moved&& other) : left_(other.left_) {
    if (left_ && (*left_)-- == 0) throw std::runtime_error("moved");
  }
  throws_when_moved& operator=(throws_when_moved&&) = default;

  bool has_thrown() const { return *left_ < 0; }

 private:
  std::shared_ptr<int> left_;
};

}  // namespace

TEMPLATE_TEST_CASE("a coroutine function that is cancelled in the queue completes at once, and dies at home",
                   "[async_resource][coroutine_functions][cancellation]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  testing::pool_1 callers;
  const resource_type resource(home.context(), 0);
  testing::log<std::thread::id> deaths;
  asio::cancellation_signal signal;
  std::promise<std::exception_ptr> told;
  bool called = false;
  {
    const occupation busy(resource);
    resource.async_invoke(
        [&called, alive = mortal(deaths)](int&) -> asio::awaitable<void> {
          called = true;
          co_return;
        },
        asio::bind_cancellation_slot(
            signal.slot(),
            asio::bind_executor(callers.get_executor(), [&](std::exception_ptr e) { told.set_value(e); })));
    signal.emit(asio::cancellation_type::total);
    auto failure = told.get_future();
    REQUIRE(failure.wait_for(std::chrono::seconds(60)) == std::future_status::ready);  // With home still busy.
    CHECK(code_of(failure.get()) == asio::error::operation_aborted);
    CHECK(deaths.values().empty());
  }
  home.join();
  CHECK(!called);
  REQUIRE(deaths.values().size() == 1);
  CHECK(deaths.values()[0] != std::this_thread::get_id());
  const auto stats = resource.stats();
  CHECK(stats.cancelled == 1);
  CHECK(stats.submitted == 1);
}

TEMPLATE_TEST_CASE("a coroutine function that has waited for too long is told at once",
                   "[async_resource][coroutine_functions][bounds]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  testing::pool_1 callers;
  resource_options options;
  options.max_wait = std::chrono::milliseconds(1);
  const resource_type resource(home.context(), options, std::in_place, 0);
  std::promise<std::exception_ptr> told;
  auto failure = told.get_future();
  {
    const occupation busy(resource);
    resource.async_invoke(
        [](int&) -> asio::awaitable<void> { co_return; },
        asio::bind_executor(callers.get_executor(), [&](std::exception_ptr e) { told.set_value(e); }));
    REQUIRE(failure.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  }
  CHECK(code_of(failure.get()) == errc::timed_out_queued);
}

TEMPLATE_TEST_CASE("a coroutine function that finds the queue full is refused at once, and dies where it was submitted",
                   "[async_resource][coroutine_functions][bounds]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  testing::pool_1 callers;
  resource_options options;
  options.max_pending = 1;
  const resource_type resource(home.context(), options, std::in_place, 0);
  testing::log<std::thread::id> deaths;
  std::promise<std::exception_ptr> told;
  auto failure = told.get_future();
  {
    const occupation busy(resource);
    resource.async_invoke([](int&) -> asio::awaitable<void> { co_return; }, asio::detached);
    resource.async_invoke(
        [alive = mortal(deaths)](int&) -> asio::awaitable<void> { co_return; },
        asio::bind_executor(callers.get_executor(), [&](std::exception_ptr e) { told.set_value(e); }));
    REQUIRE(deaths.values().size() == 1);
    CHECK(deaths.values()[0] == std::this_thread::get_id());
    REQUIRE(failure.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  }
  CHECK(code_of(failure.get()) == errc::queue_full);
  home.join();
  CHECK(resource.stats().rejected == 1);
}

TEMPLATE_TEST_CASE("cancelling all, and closing likewise, reach the coroutine function that runs",
                   "[async_resource][coroutine_functions][cancellation]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  const resource_type resource(home.context(), 0);
  const bool closing = GENERATE(false, true);
  testing::event begun;
  bool at_home = false;
  auto running = resource.async_invoke(
      [&](int&) -> asio::awaitable<void> {
        begun.set();
        try {
          co_await until_cancelled();
        } catch (...) {
          at_home = resource.get_executor().running_in_this_thread();
          throw;
        }
      },
      asio::use_future);
  auto waiting = resource.async_invoke([](int&) -> asio::awaitable<void> { co_return; }, asio::use_future);
  REQUIRE(begun.wait());
  std::future<void> closed;
  if (closing)
    closed = resource.async_close(close_mode::cancel, asio::use_future);
  else
    resource.cancel();
  CHECK(error_of(std::move(running)) == asio::error::operation_aborted);
  CHECK(error_of(std::move(waiting)) == asio::error::operation_aborted);
  if (closing)
    CHECK(!error_of(std::move(closed)));
  else
    CHECK(!error_of(resource.async_invoke([](int&) -> asio::awaitable<void> { co_return; }, asio::use_future)));
  home.join();
  CHECK(at_home);
}

TEST_CASE("cancelling all stops a coroutine function wherever it is, and none that comes after",
          "[async_resource][coroutine_functions][cancellation]") {
  asio::io_context context;
  const resource_type resource(context, 0);
  asio::steady_timer never(context, asio::steady_timer::time_point::max());
  int told = 0;
  std::exception_ptr failure;
  resource.async_invoke([&](int&) -> asio::awaitable<void> { co_await never.async_wait(asio::use_awaitable); },
                        [&](std::exception_ptr e) { ++told, failure = e; });
  for (int steps = GENERATE(0, 1, 2, 3, 4); steps > 0; --steps) context.poll_one();
  resource.cancel();
  bool ran = false;
  resource.async_invoke(
      [&](int&) -> asio::awaitable<void> {
        ran = true;
        co_return;
      },
      asio::detached);
  context.poll();
  CHECK(told == 1);
  CHECK(code_of(failure) == asio::error::operation_aborted);
  CHECK(ran);
  const auto stats = resource.stats();
  CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled);
  CHECK(stats.completed == 1);
}

TEST_CASE("a coroutine function may cancel all, itself included",
          "[async_resource][coroutine_functions][cancellation]") {
  asio::io_context context;
  const resource_type resource(context, 0);
  std::exception_ptr failure;
  bool went_on = false;
  resource.async_invoke(
      [&](int&) -> asio::awaitable<void> {
        resource.cancel();
        went_on = true;
        co_await until_cancelled();
      },
      [&](std::exception_ptr e) { failure = e; });
  context.run();
  CHECK(went_on);
  CHECK(code_of(failure) == asio::error::operation_aborted);
}

TEMPLATE_TEST_CASE("coroutine functions are cancelled from several threads while they start, run and complete",
                   "[async_resource][coroutine_functions][cancellation]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  const resource_type resource(home.context(), 0);
  constexpr int rounds = 200;
  int done = 0;
  for (int i = 0; i < rounds; ++i) {
    asio::cancellation_signal signal;
    auto first = resource.async_invoke(
        [](int& n) -> asio::awaitable<void> {
          ++n;
          co_await until_cancelled();
        },
        asio::bind_cancellation_slot(signal.slot(), asio::use_future));
    auto second = resource.async_invoke(
        [](int& n) -> asio::awaitable<void> {
          ++n;
          co_return;
        },
        asio::use_future);
    std::thread all([&] { resource.cancel(); });
    signal.emit(asio::cancellation_type::terminal);
    all.join();
    done += error_of(std::move(first)) == asio::error::operation_aborted;
    (void)error_of(std::move(second));
  }
  CHECK(done == rounds);
  home.join();
  const auto stats = resource.stats();
  CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled);
}

TEMPLATE_TEST_CASE("a coroutine function that throws when it is moved does so to whoever submits it",
                   "[async_resource][coroutine_functions]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  struct function : throws_when_moved {
    using throws_when_moved::throws_when_moved;
    asio::awaitable<int> operator()(int&) const { co_return 7; }
  };
  for (int moves = 0, again = 1; again; ++moves) {
    TestType home;
    const resource_type resource(home.context(), 0);
    const function f(moves);
    int thrown = 0, right = 0, wrong = 0;
    try {
      resource.async_invoke(f, [&](std::exception_ptr e, int n) { ++(e || n != 7 ? wrong : right); });
    } catch (const std::runtime_error&) {
      ++thrown;
    }
    home.join();
    again = f.has_thrown();
    CHECK(thrown + right + wrong == 1);
    CHECK((again || right == 1));
  }
}

TEMPLATE_TEST_CASE("a result of a coroutine function that throws when it is moved is the failure, and home lives on",
                   "[async_resource][coroutine_functions]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  for (int moves = 0, again = 1; again; ++moves) {
    TestType home;
    asio::io_context callers;
    const resource_type resource(home.context(), 0);
    const throws_when_moved result(moves);
    int right = 0, wrong = 0, out_of_run = 0;
    resource.async_invoke(
        [&](int&) -> asio::awaitable<throws_when_moved> { co_return throws_when_moved(result); },
        asio::bind_executor(callers.get_executor(),
                            [&](std::exception_ptr e, const throws_when_moved&) { ++(e ? wrong : right); }));
    try {
      callers.run();
    } catch (const std::runtime_error&) {
      ++out_of_run;  // The last one, into the handler.
    }
    CHECK(resource.async_invoke([](int&) { return 7; }, block) == 7);
    again = result.has_thrown();
    CHECK(right + wrong + out_of_run == 1);
    CHECK((again || right == 1));
  }
}

TEST_CASE("what a coroutine function came to dies at home if nobody receives it",
          "[async_resource][coroutine_functions][abandonment]") {
  testing::pool_1 home;
  std::optional<asio::io_context> callers(std::in_place);
  const resource_type resource(home.context(), 0);
  testing::log<std::thread::id> deaths;
  bool called = false;
  resource.async_invoke([&](int&) -> asio::awaitable<mortal> { co_return mortal(deaths); },
                        asio::bind_executor(*callers, [&](std::exception_ptr, mortal) { called = true; }));
  const auto at_home = resource.async_invoke([](int&) { return std::this_thread::get_id(); }, block);
  CHECK(deaths.values().empty());
  callers.reset();
  home.join();
  CHECK(!called);
  REQUIRE(deaths.values().size() == 1);
  CHECK(deaths.values()[0] == at_home);
}
