// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "coroutines.hpp"

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/deferred.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <async_resource/tokens/block.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

using namespace python_test;

TEMPLATE_TEST_CASE("a coroutine function answers as any other", "[python][coroutines]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  const asyncres::python_app app(home.context(), world.python(), "app:echo");
  CHECK(ask(app, "abc") == "cba");
  CHECK(ask(app, "") == "");
  for (int i = 0; i < 100; ++i) CHECK(ask(app, std::to_string(i % 10)) == std::to_string(i % 10));
}

TEMPLATE_TEST_CASE("coroutines of one callable await at once", "[python][coroutines]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  const asyncres::python_app app(home.context(), world.python(), "app:meet");
  std::vector<std::string> requests;
  for (int i = 0; i < 100; ++i) requests.push_back(std::to_string(i));
  std::vector<std::future<std::string>> replies;
  for (const auto& request : requests) replies.push_back(begin(app, request));
  for (std::size_t i = 0; i < 100; ++i) CHECK(wait(std::move(replies[i])) == requests[i]);
}

TEMPLATE_TEST_CASE("timers, threads and several tasks bring a coroutine on", "[python][coroutines]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  const asyncres::python_app sleeps(home.context(), world.python(), "app:sleep");
  const asyncres::python_app in_thread(home.context(), world.python(), "app:in_thread");
  const asyncres::python_app gathers(home.context(), world.python(), "app:gathers");
  for (int i = 0; i < 10; ++i) {
    CHECK(ask(sleeps, "0.001") == "awake");
    CHECK(ask(in_thread, "upper") == "UPPER");
    CHECK(ask(gathers, "ab") == "bababa");
  }
}

#ifdef __GLIBC__
TEST_CASE("a long sleep costs no memory for each short one beside it", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:sleep_beside_a_long_one");
  const auto bytes_after = [&](int requests) {
    for (int i = 0; i < requests; ++i) ask(app, "0.001");
    return mallinfo2().uordblks;
  };
  const auto before = bytes_after(200);
  CHECK(bytes_after(500) < before + 32'000);
}
#endif

TEST_CASE("what can be awaited is, whoever made it", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app forwards(home.context(), world.python(), "app:forwards");
  const asyncres::python_app awaitable(home.context(), world.python(), "app:Awaitable");
  const asyncres::python_app generator(home.context(), world.python(), "app:generator");
  CHECK(ask(forwards, "abc") == "cba");
  CHECK(ask(awaitable, "abc") == "cba");
  CHECK(ask(generator, "abc") == "cba");
}

TEST_CASE("a class is not taken for what its instances are", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:ByClass",
                                 {.request = python::request_type::view});
  CHECK(ask(app, "abc") == "memoryview");
  CHECK_FALSE(
      app.resource().async_invoke([](python::callable& c) { return c.is_coroutine_function(); }, asyncres::block));
}

TEST_CASE("a call beyond max_awaiting is refused, until a coroutine has ended", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:wait", {.max_awaiting = 2});
  waiting_call first(app), second(app);
  CHECK(wait(begin(app, first.request)) == make_error_code(asyncres::errc::queue_full).message());
  CHECK(wait(begin(app, "")) == make_error_code(asyncres::errc::queue_full).message());
  first.cancel();
  CHECK(wait(std::move(first.result)) == "aborted");
  CHECK(ask(app, "") == "nothing to wait for");
  second.cancel();
  CHECK(wait(std::move(second.result)) == "aborted");
}

TEST_CASE("what a coroutine raises is the call's error", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:fail");
  const auto error = error_of(app, "ValueError('wrong')");
  CHECK(error.type() == "ValueError");
  CHECK(std::string(error.what()) == "wrong");
  CHECK(error.traceback().find("in fail") != std::string::npos);
  CHECK(error_of(app, "SystemExit(3)").type() == "SystemExit");
  CHECK(error_of(app, "KeyboardInterrupt()").type() == "KeyboardInterrupt");
  CHECK(wait(begin(app, "asyncio.CancelledError()")) == "aborted");
  CHECK(error_of(app, "KeyError('goes on')").type() == "KeyError");

  const asyncres::python_app text(home.context(), world.python(), "app:text");
  CHECK(std::string(error_of(text).what()) == "expected bytes from the callable, got str");
}

TEST_CASE("a coroutine is for async_call; who calls the callable itself is told so", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:echo");
  const auto call_it = [&](python::callable& callable) { return callable(asio::buffer("abc", 3), app.resource()); };
  try {
    app.resource().async_invoke(call_it, asyncres::block);
    FAIL("called");
  } catch (const python::error& e) {
    CHECK(e.type() == "TypeError");
    CHECK(std::string(e.what()) ==
          "expected bytes from the callable, got coroutine: use async_call, or callable::start");
  }
}

TEST_CASE("several coroutines start in one function, and are waited for one by one", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:meet");
  std::vector<python::pending_reply> replies;
  const auto start = [&](python::callable& callable) {
    for (int i = 0; i < 100; ++i) replies.push_back(callable.start(asio::buffer("all", 3), app.resource()));
  };
  app.resource().async_invoke(start, asyncres::block);
  for (auto& reply : replies) {
    CHECK(!reply.ready());
    CHECK(to_string(wait(std::move(reply).async_get(asio::use_future))) == "all");
  }
}

TEST_CASE("a pending reply tells when its coroutine has ended", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:meet");
  std::vector<python::pending_reply> replies;
  const auto start = [&](python::callable& callable) {
    replies.push_back(callable.start(asio::buffer("all", 3), app.resource()));
  };
  for (int i = 0; i < 99; ++i) app.resource().async_invoke(start, asyncres::block);
  for (const auto& reply : replies) CHECK(!reply.ended());
  app.resource().async_invoke(start, asyncres::block);
  for (auto& reply : replies) {
    while (!reply.ended()) std::this_thread::yield();
    CHECK(!reply.ready());
    CHECK(to_string(wait(std::move(reply).async_get(asio::use_future))) == "all");
  }
  CHECK(python::pending_reply().ended());
}

TEST_CASE("the reply of a callable that is no coroutine is there at once", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:plain_in_context");
  const auto start = [&](python::callable& callable) { return callable.start(asio::buffer("a", 1), app.resource()); };
  auto reply = app.resource().async_invoke(start, asyncres::block);
  CHECK(reply.ready());
  CHECK(to_string(std::move(reply).get()) == "unset a");
  reply = app.resource().async_invoke(start, asyncres::block);
  CHECK(to_string(wait(std::move(reply).async_get(asio::use_future))) == "unset a");
}

TEST_CASE("each request has context variables of its own", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  for (const auto* function : {"app:in_context", "app:plain_in_context"}) {
    const asyncres::python_app app(home.context(), world.python(), function);
    std::vector<std::future<std::string>> replies;
    const std::string letters = "abcdefghij";
    for (const char& letter : letters) replies.push_back(begin(app, {&letter, 1}));
    for (std::size_t i = 0; i < letters.size(); ++i)
      CHECK(wait(std::move(replies[i])) == std::string("unset ") + letters[i]);
  }
}

TEST_CASE("async_call takes every token, coroutine function or not", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  const asyncres::python_app app(home.context(), world.python(), "app:echo");
  const auto request = asio::buffer("ab", 2);
  CHECK(to_string(app.async_call(request, asyncres::block)) == "ba");
  CHECK(to_string(wait(app.async_call(request, asio::use_future))) == "ba");
  auto deferred = app.async_call(request, asio::deferred);
  static_assert(!std::is_copy_constructible_v<decltype(deferred)>);
  CHECK(to_string(wait(std::move(deferred)(asio::use_future))) == "ba");
  app.async_call(request, asio::detached);

  asio::io_context here;
  std::vector<std::string> got;
  const auto ask_thrice = [&]() -> asio::awaitable<void> {
    got.push_back(to_string(co_await app.async_call(request)));
    got.push_back(to_string(co_await app.async_call(request, asio::use_awaitable)));
    auto [error, reply] = co_await app.async_call(request, asio::as_tuple(asio::use_awaitable));
    got.push_back(description(error, reply));
  };
  asio::co_spawn(here, ask_thrice, asio::detached);
  here.run();
  CHECK(got == std::vector<std::string>{"ba", "ba", "ba"});
}

TEMPLATE_TEST_CASE("a coroutine that never waits lets others have their turn", "[python][coroutines]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  environment world(coroutine_functions);
  TestType home;
  const asyncres::python_app app(home.context(), world.python(), "app:spin");
  waiting_call call(app);
  for (int i = 0; i < 10; ++i) CHECK(ask(app) == "turn");
  call.cancel();
  call.ended.wait();
  CHECK(wait(std::move(call.result)) == "aborted");
}

TEST_CASE("coroutines run under every policy", "[python][coroutines]") {
  environment world(coroutine_functions);
  testing::pool_1 home;
  std::vector<python::gil_policy> policies{python::gil_policy::per_batch, python::gil_policy::held};
  if (PY_VERSION_HEX >= 0x030C0000) policies.push_back(python::gil_policy::own_gil);
  for (const auto policy : policies) {
    const asyncres::python_options options{.gil = policy};
    {
      const asyncres::python_app app(home.context(), world.python(), "app:in_thread", options);
      CHECK(ask(app, "upper") == "UPPER");
    }
    const asyncres::python_app app(home.context(), world.python(), "app:wait", options);
    waiting_call call(app);
    call.cancel();
    CHECK(wait(std::move(call.result)) == "aborted");
    waiting_call left(app);
    wait(app.resource().async_close(asio::use_future));
    left.ended.wait();
    CHECK(wait(std::move(left.result)) == "aborted");
  }
}
