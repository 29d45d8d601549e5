// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "coroutines.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <async_resource/tokens/block.hpp>
#include <atomic>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

using namespace python_test;

namespace {

// A coroutine function that tells when it awaits, and when it has ended.
struct waiting_app {
  environment world{coroutine_functions};
  testing::pool_1 home;
  const asyncres::python_app<asio::thread_pool::executor_type> app{home.context(), world.python(), "app:wait"};
  event waits, ended;
  const std::string request = signals(waits, ended);

  python::pending_reply start() {
    const auto call = [&](python::callable& callable) { return callable.start(asio::buffer(request), app.resource()); };
    return app.resource().async_invoke(call, asyncres::block);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("cancelling the operation cancels the task", "[python][coroutines][cancellation]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  const asyncres::python_app app(home.context(), world.python(), "app:wait");
  for (int i = 0; i < 10; ++i) {
    waiting_call cancelled(app), other(app);
    cancelled.cancel();
    cancelled.ended.wait();
    CHECK(wait(std::move(cancelled.result)) == "aborted");
    CHECK(other.result.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
    other.cancel();
    CHECK(wait(std::move(other.result)) == "aborted");
    other.cancel();
  }
}

TEST_CASE("a task decides what its cancellation comes to", "[python][coroutines][cancellation]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app swallows(home.context(), world.python(), "app:swallow");
  waiting_call swallowed(swallows);
  swallowed.cancel();
  CHECK(wait(std::move(swallowed.result)) == "swallowed");

  const asyncres::python_app raises(home.context(), world.python(), "app:raise_instead");
  waiting_call raised(raises);
  raised.cancel();
  CHECK(wait(std::move(raised.result)) == "ValueError: instead");
}

TEST_CASE("a task that goes on when it is cancelled can be cancelled again", "[python][coroutines][cancellation]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:insist");
  waiting_call insists(app);
  for (int i = 0; i < 2; ++i) {
    insists.cancel();
    insists.ended.wait();
  }
  CHECK(wait(std::move(insists.result)) == "cancelled twice");
}

TEST_CASE("a call that is cancelled while it is queued never reaches the callable",
          "[python][coroutines][cancellation]") {
  environment world(coroutine_functions);
  running<asio::io_context> handlers;
  asio::io_context home;
  const asyncres::python_app app(home, world.python(), "app:wait");
  event waits;
  asio::cancellation_signal signal;
  describe handler;
  auto result = handler.promise.get_future();
  const auto request = signals(waits, waits);
  app.async_call(asio::buffer(request),
                 asio::bind_cancellation_slot(
                     signal.slot(), asio::bind_executor(handlers.context().get_executor(), std::move(handler))));
  signal.emit(asio::cancellation_type::total);
  CHECK(wait(std::move(result)) == "aborted");
  home.run();
}

TEST_CASE("what comes before the cancellation is done, in any thread", "[python][coroutines][cancellation]") {
  environment world(coroutine_functions);
  testing::io_4 home;
  const asyncres::python_app app(home.context(), world.python(), "app:wait");
  event waits, ended;
  const auto request = signals(waits, ended);
  for (int round = 0; round < 20; ++round) {
    std::deque<asio::cancellation_signal> signals(20);
    std::vector<std::future<std::string>> results;
    for (auto& signal : signals) results.push_back(begin(app, request, signal.slot()));
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 2; ++t)
      threads.emplace_back([&, t] {
        for (std::size_t i = t; i < signals.size(); i += 2) signals[i].emit(asio::cancellation_type::terminal);
      });
    for (auto& thread : threads) thread.join();
    for (auto& result : results) CHECK(wait(std::move(result)) == "aborted");
  }
}

TEST_CASE("a pending reply that is dropped cancels its task", "[python][coroutines][cancellation]") {
  waiting_app it;
  {
    const auto dropped = it.start();
    it.waits.wait();
  }
  it.ended.wait();
  {
    auto dropped = it.start();
    it.waits.wait();
    [[maybe_unused]] const auto never_started = std::move(dropped).async_get();
  }
  it.ended.wait();
}

TEST_CASE("a pending reply that is assigned to cancels its task, and has the other's",
          "[python][coroutines][cancellation]") {
  waiting_app it;
  auto assigned = it.start();
  it.waits.wait();
  auto other = it.start();
  it.waits.wait();
  assigned = std::move(other);
  it.ended.wait();
  CHECK(other.ready());
  CHECK_FALSE(assigned.ended());
}

TEST_CASE("waiting for a pending reply can be cancelled, and its task with it", "[python][coroutines][cancellation]") {
  waiting_app it;
  auto reply = it.start();
  it.waits.wait();
  asio::cancellation_signal signal;
  describe handler;
  auto result = handler.promise.get_future();
  std::move(reply).async_get(asio::bind_cancellation_slot(signal.slot(), std::move(handler)));
  signal.emit(asio::cancellation_type::partial);
  it.ended.wait();
  CHECK(wait(std::move(result)) == "aborted");
}
