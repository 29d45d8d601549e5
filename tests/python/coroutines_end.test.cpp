// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "coroutines.hpp"

#include <sys/resource.h>

#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <async_resource/tokens/block.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "support/contexts.hpp"

using namespace python_test;

namespace {

using pool_app = asyncres::python_app<asio::thread_pool::executor_type>;

}  // namespace

TEST_CASE("home's context is at work while a request awaits, and rests when the reply has come",
          "[python][coroutines][end]") {
  environment world(coroutine_functions);
  asio::io_context home;
  const asyncres::python_app app(home, world.python(), "app:sleep");
  for (int i = 0; i < 3; ++i) {
    auto result = begin(app, "0.001");
    home.run();
    home.restart();
    CHECK(wait(std::move(result)) == "awake");
  }
}

TEST_CASE("what a request leaves behind goes on, and keeps nothing at work", "[python][coroutines][end]") {
  environment world(coroutine_functions);
  event asked, ticked;
  const auto request = descriptors(asked, ticked);
  asio::io_context home;
  std::optional<asyncres::python_app<asio::io_context::executor_type>> app(std::in_place, home, world.python(),
                                                                           "app:leave_behind");
  auto result = begin(*app, request);
  home.run();
  CHECK(wait(std::move(result)) == "left behind");
  home.restart();

  auto work = asio::make_work_guard(home);
  std::thread thread([&] { home.run(); });
  for (int i = 0; i < 10; ++i) {
    asked.set();
    ticked.wait();
  }
  app.reset();  // Ends the task that was left behind.
  ticked.wait();
  work.reset();
  thread.join();
}

TEMPLATE_TEST_CASE("the last handle dropped, a request still gets its reply", "[python][coroutines][end]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  using app_type = asyncres::python_app<typename TestType::context_type::executor_type>;
  std::optional<app_type> app(std::in_place, home.context(), world.python(), "app:sleep");
  auto result = begin(*app, "0.01");
  app.reset();
  CHECK(wait(std::move(result)) == "awake");
}

TEMPLATE_TEST_CASE("closing cancels what awaits, and waits for it", "[python][coroutines][end]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  const asyncres::python_app app(home.context(), world.python(), "app:wait");
  waiting_call call(app);
  const asyncres::python_app swallows(home.context(), world.python(), "app:swallow");
  waiting_call swallowed(swallows);
  wait(app.resource().async_close(asio::use_future));
  call.ended.wait();
  CHECK(wait(std::move(call.result)) == "aborted");
  CHECK(wait(begin(app, "")) == "closed");
  wait(swallows.resource().async_close(asio::use_future));
  CHECK(wait(std::move(swallowed.result)) == "closed");
}

TEST_CASE("a task that does not end when home closes is left, and its call completes", "[python][coroutines][end]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:refuse_to_end");
  waiting_call call(app);
  wait(app.resource().async_close(asio::use_future));
  CHECK(wait(std::move(call.result)) == "closed");
  const asyncres::python_app report(home.context(), world.python(), "app:what_was_left");
  CHECK(ask(report) == "['Task does not end when cancelled, and is left']");
}

TEMPLATE_TEST_CASE("an interpreter that goes down cancels what awaits", "[python][coroutines][end]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  const asyncres::python_app app(home.context(), world.python(), "app:wait");
  const asyncres::python_app swallows(home.context(), world.python(), "app:swallow");
  waiting_call call(app), swallowed(swallows);
  world.stop();
  call.ended.wait();
  CHECK(wait(std::move(call.result)) == "aborted");
  CHECK(wait(std::move(swallowed.result)) == "RuntimeError: the Python interpreter is gone");
  CHECK(wait(begin(app, "")) == "RuntimeError: the Python interpreter is gone");
  call.cancel();
}

TEMPLATE_TEST_CASE("with home's context gone, calls from elsewhere complete", "[python][coroutines][end]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  running<asio::io_context> elsewhere;
  TestType home;
  const asyncres::python_app app(home.context(), world.python(), "app:wait");
  event waits, ended;
  const auto request = signals(waits, ended);
  describe handler;
  auto result = handler.promise.get_future();
  app.async_call(asio::buffer(request), asio::bind_executor(elsewhere.context().get_executor(), std::move(handler)));
  waits.wait();
  home.shut_down();
  ended.wait();
  CHECK(wait(std::move(result)) == "aborted");
}

TEMPLATE_TEST_CASE("a handler whose context goes first is destroyed, and the task goes on", "[python][coroutines][end]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  const asyncres::python_app app(home.context(), world.python(), "app:wait");
  event waits, ended;
  const auto request = signals(waits, ended);
  auto alive = std::make_shared<int>();
  const std::weak_ptr<int> handler = alive;
  {
    testing::io_1 here;
    app.async_call(asio::buffer(request),
                   asio::bind_executor(here.get_executor(), [alive = std::move(alive)](auto&&...) {}));
    waits.wait();
    here.shut_down();
  }
  CHECK(handler.expired());
  wait(app.resource().async_close(asio::use_future));
  ended.wait();
}

TEST_CASE("a step that fails fails what awaits, and their tasks end", "[python][coroutines][end]") {
#if defined(__SANITIZE_ADDRESS__)
  SKIP("UBSan looks at a type that it has not met through a pipe, for which there is no descriptor here");
#endif
  environment world(R"(
import asyncio, os, resource
async def run(request):
    if not request: return b'again'
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        await asyncio.Event().wait()
    finally:
        os.write(int(request), b'.')
        await asyncio.Event().wait()
)");
  asio::io_context home;
  const asyncres::python_app app(home, world.python(), "app:run");
  event ended;
  const auto request = std::to_string(ended.write_end());
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  auto failed = begin(app, request);
  home.run();
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(wait(std::move(failed)) == "event loop: Too many open files");
  ended.wait();
  auto next = begin(app, "");
  home.restart();
  home.run();
  CHECK(wait(std::move(next)) == "again");
}
