// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Cancellations, closings and failures that come at the worst moment, each as a written-out interleaving.

#include <asio/any_completion_executor.hpp>
#include <asio/as_tuple.hpp>
#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/execution.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/require.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <async_resource.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "support/error_codes.hpp"
#include "support/executors.hpp"

using testing::code_of;

namespace {

using executor = asio::io_context::executor_type;

struct plain {};

// Counts its interrupts.
struct device {
  int* interrupts;
};
void interrupt(device& d) noexcept {
  ++*d.interrupts;
}

std::function<void()> on_start;

struct at_start {
  void on_started(std::uint64_t) noexcept { on_start(); }
};

}  // namespace

TEST_CASE("a resource that could not be made is not interrupted", "[async_resource][cancellation]") {
  asio::io_context home;
  int interrupts = 0;
  const asyncres::async_resource<executor, device, at_start> resource(
      home, asyncres::resource_options(), asyncres::from_factory,
      []() -> device { throw std::runtime_error("no such device"); });
  on_start = [&] { std::thread([&] { resource.cancel(); }).join(); };
  bool failed = false;
  resource.async_invoke([](device&) {}, [&](std::exception_ptr e) { failed = static_cast<bool>(e); });
  home.run();
  CHECK(failed);
  CHECK(interrupts == 0);
}

TEST_CASE("an operation that is cancelled while the resource is being made is not run",
          "[async_resource][cancellation]") {
  asio::io_context home;
  int interrupts = 0, calls = 0;
  std::promise<void> making, made;
  const asyncres::async_resource<executor, device> resource(home, asyncres::resource_options(), asyncres::from_factory,
                                                            [&] {
                                                              making.set_value();
                                                              made.get_future().wait();
                                                              return device{&interrupts};
                                                            });
  std::error_code error;
  resource.async_invoke([&](device&) { ++calls; }, [&](std::exception_ptr e) { error = code_of(e); });
  std::thread thread([&] { home.run(); });
  making.get_future().wait();
  resource.cancel();
  made.set_value();
  thread.join();
  CHECK(error == asio::error::operation_aborted);
  CHECK(calls == 0);
  CHECK(interrupts == 0);
  CHECK(resource.stats().cancelled == 1);
}

TEST_CASE("a function that cancels all can still be interrupted from outside", "[async_resource][cancellation]") {
  asio::io_context home;
  int interrupts = 0;
  const asyncres::async_resource<executor, device> resource(home, device{&interrupts});
  std::promise<void> cancelled, done;
  resource.async_invoke(
      [&](device&) {
        resource.cancel();
        cancelled.set_value();
        done.get_future().wait();
      },
      [](std::exception_ptr) {});
  std::thread thread([&] { home.run(); });
  cancelled.get_future().wait();
  resource.cancel();
  resource.cancel();
  done.set_value();
  thread.join();
  CHECK(interrupts == 1);
}

TEST_CASE("home's run() does not return while a close waits for a home_ptr", "[async_resource][close]") {
  asio::io_context callers, home;
  const asyncres::async_resource<executor, plain> resource(home);
  asyncres::home_ptr<int> kept;
  bool closed = false;
  asio::co_spawn(
      callers,
      [&]() -> asio::awaitable<void> {
        const auto make = [&](plain&) { return asyncres::make_home_ptr<int>(resource, 3); };
        kept = co_await resource.async_invoke(make);
        (void)co_await resource.async_close(asio::as_tuple(asio::use_awaitable));
        closed = true;
      },
      asio::detached);
  callers.poll();
  home.run();  // The function is run,
  callers.poll();
  home.restart();
  home.run_one();  // and the close parked.
  CHECK(!closed);
  CHECK(!home.stopped());
  home.poll();
  CHECK(!home.stopped());
  kept.reset();
  home.run();
  callers.run();
  CHECK(closed);
}

namespace {

// Takes nothing.
struct unwilling {
  asio::io_context* context_;

  template <class Function>
  void execute(Function) const {
    throw std::bad_alloc();
  }
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  bool operator==(const unwilling&) const noexcept = default;
};

}  // namespace

TEST_CASE("a cancelled operation whose executor fails may own its context", "[async_resource][cancellation]") {
  asio::io_context home;
  const asyncres::async_resource<executor, plain> resource(home);
  auto context = std::make_shared<asio::io_context>();
  const std::weak_ptr<asio::io_context> gone = context;
  asio::cancellation_signal signal;
  const unwilling where{context.get()};
  auto handler = [context = std::move(context)](std::exception_ptr) {};
  resource.async_invoke([](plain&) {},
                        asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(where, std::move(handler))));
  signal.emit(asio::cancellation_type::terminal);
  CHECK(gone.expired());
  home.run();
}

namespace {

template <class T>
struct failing_allocator {
  using value_type = T;

  failing_allocator() = default;
  template <class U>
  failing_allocator(const failing_allocator<U>&) noexcept {}
  T* allocate(std::size_t) { throw std::bad_alloc(); }
  void deallocate(T*, std::size_t) noexcept {}
  template <class U>
  bool operator==(const failing_allocator<U>&) const noexcept {
    return true;
  }
};

}  // namespace

TEST_CASE("a close that cannot start closes nothing", "[async_resource][close]") {
  asio::io_context home;
  const asyncres::async_resource<executor, plain> resource(home);
  int called = 0;
  resource.async_invoke([&](plain&) { ++called; }, asio::detached);
  CHECK_THROWS_AS(resource.async_close(asyncres::close_mode::cancel,
                                       asio::bind_allocator(failing_allocator<void>(), [](std::error_code) {})),
                  std::bad_alloc);
  resource.async_invoke([&](plain&) { ++called; }, asio::detached);
  home.run();
  CHECK(called == 2);
}

namespace {

std::function<void()> on_queue;

struct at_submission {
  void on_queued(std::uint64_t) noexcept { on_queue(); }
};

// The newest service of a context, hence the first that is told of its shutdown.
class herald final : public asio::execution_context::service {
 public:
  using key_type = herald;
  inline static asio::execution_context::id id;

  explicit herald(asio::execution_context& context) : service(context) {}

  std::promise<void> shutting_down;

 private:
  // Some contexts call it twice.
  void shutdown() override {
    if (!std::exchange(told_, true)) shutting_down.set_value();
  }

  bool told_ = false;
};

// Home is shut down by another thread at the last moment before the operation is queued there.
template <class Handler>
void submit_to_a_home_that_goes(Handler&& handler) {
  auto home = std::make_unique<asio::io_context>();
  const asyncres::async_resource<executor, plain, at_submission> resource(*home);
  on_queue = [] {};
  resource.async_invoke([](plain&) {}, asio::detached);  // The services that are needed are there.
  home->run();
  auto shutting_down = asio::make_service<herald>(*home).shutting_down.get_future();
  std::thread thread;
  on_queue = [&] {
    thread = std::thread([&] { home.reset(); });
    shutting_down.wait();
  };
  resource.async_invoke([](plain&) {}, std::forward<Handler>(handler));
  thread.join();
  on_queue = nullptr;
}

}  // namespace

TEST_CASE("home may be shut down in the middle of a submission", "[async_resource][shutdown]") {
  const auto token = std::make_shared<int>();
  SECTION("whose handler has no executor of its own") {
    submit_to_a_home_that_goes([token](std::exception_ptr) {});
  }
  SECTION("whose handler can be cancelled") {
    asio::cancellation_signal signal;
    submit_to_a_home_that_goes(asio::bind_cancellation_slot(signal.slot(), [token](std::exception_ptr) {}));
    signal.emit(asio::cancellation_type::terminal);
  }
  SECTION("whose handler has an executor that cannot post") {
    asio::thread_pool callers(1);
    submit_to_a_home_that_goes(
        asio::bind_executor(asio::any_completion_executor(callers.get_executor()), [token](std::exception_ptr) {}));
    callers.join();
  }
  CHECK(token.use_count() == 1);
}

namespace {

// An io_context's executor that does not take anything while it is told so.
struct moody {
  asio::io_context* context_;
  const bool* refuses_;

  template <class Function>
  void execute(Function&& function) const {
    if (*refuses_) throw std::bad_alloc();
    asio::require(context_->get_executor(), asio::execution::blocking.never).execute(std::forward<Function>(function));
  }
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  bool operator==(const moody&) const noexcept = default;
};

}  // namespace

TEST_CASE("a close completes although home cannot be told of a home_ptr's end", "[async_resource][close]") {
  asio::io_context home, callers;
  bool refuses = false;
  const asyncres::async_resource<moody, plain> resource(moody{&home, &refuses});
  const auto here = [&](auto handler) { return asio::bind_executor(callers.get_executor(), std::move(handler)); };
  asyncres::home_ptr<int> kept;
  resource.async_invoke([&](plain&) { return asyncres::make_home_ptr<int>(resource, 3); },
                        here([&](std::exception_ptr, asyncres::home_ptr<int> made) { kept = std::move(made); }));
  home.run();
  callers.run();
  int closed = 0;
  resource.async_close(here([&](std::error_code e) {
    CHECK(e == std::errc::not_enough_memory);
    ++closed;
  }));
  home.restart();
  home.poll();
  refuses = true;
  kept.reset();
  refuses = false;
  callers.restart();
  callers.run();
  CHECK(closed == 1);
}

TEST_CASE("a refusal leaves alone what else depends on the handler's context", "[async_resource][shutdown]") {
  asio::io_context home;
  auto callers = std::make_unique<testing::manual_context>();
  asyncres::resource_options options;
  options.max_pending = 1;
  const asyncres::async_resource<executor, plain> resource(home, options, std::in_place);
  const auto token = std::make_shared<int>();
  const testing::eager_executor eager(*callers);
  resource.async_invoke([](plain&) {}, asio::bind_executor(eager, [token](std::exception_ptr) {}));
  resource.async_invoke([](plain&) {}, asio::bind_executor(eager, [token](std::exception_ptr) {}));  // Refused.
  callers.reset();
  CHECK(token.use_count() == 1);
  home.run();
}
