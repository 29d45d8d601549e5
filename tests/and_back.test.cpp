// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <exception>
#include <thread>

#include "support/contexts.hpp"
#include "support/executors.hpp"

// Promise 3: and back. Pitfalls 1, 2, 6, 13 and 15 of the plain double dispatch.

using asyncres::async_resource;

TEMPLATE_TEST_CASE("a handler runs on its associated executor", "[async_resource][and_back]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  TestType callers;
  async_resource<asio::any_io_executor, int> resource(home.context(), 7);
  auto strand = asio::make_strand(callers.get_executor());
  std::atomic<bool> there{false};
  std::atomic<int> value{0};
  resource.async_invoke([](int& i) { return i; }, asio::bind_executor(strand, [&](std::exception_ptr, int i) {
                          there = strand.running_in_this_thread();
                          value = i;
                        }));
  home.join();
  callers.join();
  CHECK(there);
  CHECK(value == 7);
}

TEMPLATE_TEST_CASE("a handler without an executor runs on the inner executor, off the strand",
                   "[async_resource][and_back]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  auto inner = resource.get_inner_executor();
  STATIC_REQUIRE(std::is_same_v<decltype(inner), typename TestType::context_type::executor_type>);
  std::atomic<bool> on_inner{false};
  std::atomic<bool> on_strand{true};
  resource.async_invoke([](int&) {},
                        [&](std::exception_ptr) {
                          on_inner = inner.running_in_this_thread();
                          on_strand = resource.get_executor().running_in_this_thread();
                        });
  home.join();
  CHECK(on_inner);
  CHECK_FALSE(on_strand);
}

// Pitfall 1: the thread that ran the function serves the handler's executor too.
TEMPLATE_TEST_CASE("the resource is free when the handler runs: a handler may wait for the next function",
                   "[async_resource][and_back]", testing::io_4, testing::pool_4) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  std::atomic<int> waited{0};
  for (int i = 0; i < 3; ++i)
    resource.async_invoke([](int&) {},
                          [&](std::exception_ptr) {
                            testing::event done;
                            resource.async_invoke([&](int&) { done.set(); }, asio::detached);
                            if (done.wait()) ++waited;
                          });
  home.join();
  CHECK(waited == 3);
}

TEMPLATE_TEST_CASE("a completion does not wait for a later function: a function may wait for the handler before it",
                   "[async_resource][and_back]", testing::io_4, testing::pool_4) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  testing::event queued;
  testing::event handled;
  std::atomic<bool> seen{false};
  resource.async_invoke([&](int&) { (void)queued.wait(); }, [&](std::exception_ptr) { handled.set(); });
  resource.async_invoke([&](int&) { seen = handled.wait(); }, asio::detached);
  queued.set();
  home.join();
  CHECK(seen);
}

// Pitfall 2: whatever the executors are, and also on a thread that serves both of them.
TEMPLATE_TEST_CASE("neither function nor handler runs inside the initiating function", "[async_resource][and_back]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  std::atomic<int> inside{0};
  std::atomic<int> handled{0};
  testing::event all_handled;
  const auto submit_here = [&](auto executor) {
    static thread_local bool initiating = false;
    initiating = true;
    resource.async_invoke([&](int&) { inside += initiating; }, asio::bind_executor(executor, [&](std::exception_ptr) {
                            inside += initiating;
                            if (++handled == 4) all_handled.set();
                          }));
    initiating = false;
  };
  asio::post(home.context(), [&] { submit_here(home.get_executor()); });
  asio::post(resource.get_executor(), [&] { submit_here(resource.get_executor()); });
  asio::post(resource.get_executor(), [&] { submit_here(asio::system_executor()); });
  submit_here(testing::eager_executor(home.context()));
  CHECK(all_handled.wait());
  home.join();
  CHECK(inside == 0);
}

// Pitfall 15.
TEMPLATE_TEST_CASE("a handler on an executor that can only run functions at once does not run on the strand",
                   "[async_resource][and_back]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  STATIC_REQUIRE_FALSE(asio::can_require_v<testing::eager_executor, asio::execution::blocking_t::never_t>);
  std::atomic<int> on_strand{0};
  std::atomic<int> handled{0};
  const auto handler = [&](std::exception_ptr) {
    on_strand += resource.get_executor().running_in_this_thread();
    ++handled;
  };
  resource.async_invoke([](int&) {}, asio::bind_executor(testing::eager_executor(home.context()), handler));
  resource.async_invoke([](int&) {}, asio::bind_executor(asio::any_completion_executor(home.get_executor()), handler));
  resource.async_invoke([](int&) {}, asio::any_completion_handler<void(std::exception_ptr)>(handler));
  home.join();
  CHECK(on_strand == 0);
  CHECK(handled == 3);
}

TEMPLATE_TEST_CASE("a handler bound to home's own strand runs there, after the function", "[async_resource][and_back]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  std::atomic<bool> function_over{false};
  std::atomic<bool> as_expected{false};
  resource.async_invoke([&](int&) { function_over = true; },
                        asio::bind_executor(resource.get_executor(), [&](std::exception_ptr) {
                          as_expected = function_over && resource.get_executor().running_in_this_thread();
                        }));
  home.join();
  CHECK(as_expected);
}

namespace {

// A handler that forgets its executor when it is moved from.
struct forgetful_handler {
  using executor_type = asio::any_io_executor;
  executor_type executor;
  std::atomic<int>* on_it;
  asio::any_io_executor expected;

  executor_type get_executor() const noexcept { return executor; }
  void operator()(std::exception_ptr) { *on_it += executor == expected; }
};

}  // namespace

// Pitfall 13.
TEMPLATE_TEST_CASE("the handler is asked for its executor before it is moved", "[async_resource][and_back]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  TestType callers;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  std::atomic<int> on_it{0};
  resource.async_invoke([](int&) {}, forgetful_handler{callers.get_executor(), &on_it, callers.get_executor()});
  home.join();
  callers.join();
  CHECK(on_it == 1);
}
