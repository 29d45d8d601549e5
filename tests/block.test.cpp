// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/contexts.hpp"
#include "support/error_codes.hpp"
#include "support/executors.hpp"

using asyncres::async_resource;
using asyncres::block;
using asyncres::errc;
using testing::code_thrown_by;

namespace {

struct plain {};

const std::error_code io_error = std::make_error_code(std::errc::io_error);

}  // namespace

TEMPLATE_TEST_CASE("block returns what the function returns", "[async_resource][block]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 41);
  CHECK(resource.async_invoke([](int& n) { return ++n; }, block) == 42);
  CHECK(*resource.async_invoke([](int& n) { return std::make_unique<int>(n); }, block) == 42);
  STATIC_REQUIRE(std::is_void_v<decltype(resource.async_invoke([](int&) {}, block))>);
  resource.async_invoke([](int& n) { n = 7; }, block);
  CHECK(resource.async_invoke([](int& n, std::error_code&) { return std::to_string(n); }, block) == "7");
}

TEMPLATE_TEST_CASE("block throws what the function throws", "[async_resource][block]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  const auto resource = asyncres::make_async_resource<plain>(home.context());
  CHECK_THROWS_AS(resource.async_invoke([](plain&) -> int { throw std::logic_error("no"); }, block), std::logic_error);
  CHECK(code_thrown_by([&] { resource.async_invoke([](plain&, std::error_code& e) { e = io_error; }, block); }) ==
        io_error);
}

TEMPLATE_TEST_CASE("block[ec] sets the code and returns a default", "[async_resource][block]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  const auto resource = asyncres::make_async_resource<plain>(home.context());
  std::error_code error = errc::closed;
  CHECK(resource.async_invoke([](plain&) { return 3; }, block[error]) == 3);
  CHECK(!error);
  CHECK(resource.async_invoke([](plain&) -> int { throw std::system_error(io_error); }, block[error]) == 0);
  CHECK(error == io_error);
  CHECK(resource.async_invoke([](plain&, std::error_code&) { return 4; }, block[error]) == 4);
  CHECK(!error);
  CHECK(resource.async_invoke([](plain&, std::error_code& e) { return e = io_error, 5; }, block[error]) == 5);
  CHECK(error == io_error);
}

TEST_CASE("block[ec] rethrows what has no code", "[async_resource][block]") {
  testing::pool_1 home;
  const auto resource = asyncres::make_async_resource<plain>(home.context());
  std::error_code error;
  CHECK_THROWS_AS(resource.async_invoke([](plain&) { throw std::logic_error("no"); }, block[error]), std::logic_error);
  resource.async_invoke([](plain&) { throw std::system_error(std::error_code()); }, block[error]);
  CHECK(error == errc::exception);
}

TEST_CASE("block can be bound to what other tokens can be bound to", "[async_resource][block]") {
  testing::pool_1 home, other;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 1);
  const auto next = [](int& n) { return n++; };
  const auto [failure, one] = resource.async_invoke(next, asio::as_tuple(block));
  CHECK((!failure && one == 1));
  CHECK(std::get<1>(resource.async_invoke(next, asio::append(block, std::string("word")))) == "word");
  CHECK(resource.async_invoke(next, asio::bind_executor(other.get_executor(), block)) == 3);
  asio::cancellation_signal signal;
  CHECK(resource.async_invoke(next, asio::bind_cancellation_slot(signal.slot(), block)) == 4);
  CHECK(resource.async_invoke(next, asio::deferred)(block) == 5);
  CHECK(resource.async_invoke(next, asio::consign(block, std::make_shared<int>())) == 6);
}

TEST_CASE("block waits for operations of Asio as well", "[async_resource][block]") {
  testing::pool_1 home;
  std::error_code error = errc::closed;
  asio::steady_timer timer(home.get_executor(), std::chrono::steady_clock::now());
  timer.async_wait(block[error]);
  CHECK(!error);
  asio::post(home.get_executor(), block);
  asio::dispatch(home.get_executor(), block);
  CHECK(asyncres::double_dispatch(
            home.get_executor(), [] { return 7; }, block) == 7);

  asio::ip::tcp::acceptor acceptor(home.get_executor());
  CHECK(code_thrown_by([&] { acceptor.async_wait(asio::ip::tcp::acceptor::wait_read, block); }) ==
        asio::error::bad_descriptor);
}

TEST_CASE("block takes a result that is large and one whose move throws", "[async_resource][block]") {
  struct fragile {
    int moves = 0;
    fragile() = default;
    fragile(fragile&& other) : moves(other.moves + 1) {
      if (moves > 1) throw std::runtime_error("broken");
    }
  };
  struct large {
    std::byte bytes[4096];
    int value;
  };
  testing::pool_1 home;
  const auto resource = asyncres::make_async_resource<plain>(home.context());
  CHECK_THROWS(resource.async_invoke([](plain&) { return fragile(); }, block));
  CHECK(resource.async_invoke([](plain&) { return large{{}, 9}; }, block).value == 9);
}

TEST_CASE("block on the strand of the resource would deadlock, and says so", "[async_resource][block]") {
  testing::pool_4 home;
  const auto resource = asyncres::make_async_resource<plain>(home.context());
  std::error_code inside, on_strand, closing;
  resource.async_invoke(
      [&](plain&) {
        resource.async_invoke([](plain&) {}, block[inside]);
        resource.async_close(block[closing]);
      },
      block);
  CHECK(inside == errc::would_deadlock);
  CHECK(closing == errc::would_deadlock);
  asio::post(resource.get_executor(),
             [&] { on_strand = code_thrown_by([&] { resource.async_invoke([](plain&) {}, block); }); });
  home.join();
  CHECK(on_strand == errc::would_deadlock);
  CHECK(resource.stats().rejected == 3 - 1);  // A close is not counted.
}

TEST_CASE("block within a function that is waited for, by way of others, would deadlock, and says so",
          "[async_resource][block]") {
  testing::pool_1 a, b, c;
  const auto first = asyncres::make_async_resource<plain>(a.context());
  const auto second = asyncres::make_async_resource<plain>(b.context());
  const auto third = asyncres::make_async_resource<plain>(c.context());
  std::error_code error;
  int calls = 0;
  const auto ask_first = [&](plain&) { first.async_invoke([&](plain&) { ++calls; }, block[error]); };
  SECTION("by way of one") {
    first.async_invoke([&](plain&) { second.async_invoke(ask_first, block); }, block);
  }
  SECTION("by way of two") {
    const auto ask_third = [&](plain&) { third.async_invoke(ask_first, block); };
    first.async_invoke([&](plain&) { second.async_invoke(ask_third, block); }, block);
  }
  CHECK(error == errc::would_deadlock);
  CHECK(calls == 0);
  first.async_invoke([&](plain&) { ++calls; }, block);
  CHECK(calls == 1);
}

TEST_CASE("block within a function is fine where nobody waits in a ring", "[async_resource][block]") {
  testing::pool_1 a, b;
  const auto first = asyncres::make_async_resource<int>(a.context(), 1);
  const auto second = asyncres::make_async_resource<int>(b.context(), 2);
  const auto sum =
      first.async_invoke([&](int& n) { return n + second.async_invoke([](int& m) { return m; }, block); }, block);
  CHECK(sum == 3);
}

TEST_CASE("of two functions that block on each other's resources, one is refused at most",
          "[async_resource][block][races]") {
  testing::pool_1 a, b;
  const auto first = asyncres::make_async_resource<int>(a.context(), 1);
  const auto second = asyncres::make_async_resource<int>(b.context(), 2);
  long refused = 0;
  for (int i = 0; i < 1'000; ++i) {
    std::error_code one, other;
    const auto ask = [](const auto& resource, std::error_code& error) {
      return [&](int&) { resource.async_invoke([](int&) {}, block[error]); };
    };
    std::thread thread([&] { first.async_invoke(ask(second, one), block); });
    second.async_invoke(ask(first, other), block);
    thread.join();
    if (one && other) ++refused;
  }
  CHECK(refused == 0);
}

TEST_CASE("block says so when the operation went with its context", "[async_resource][block]") {
  auto context = std::make_unique<asio::io_context>();
  const auto resource = asyncres::make_async_resource<int>(*context, 0);
  std::error_code error;
  std::thread waiting([&] { resource.async_invoke([](int&) {}, block[error]); });
  while (resource.stats().queued == 0) std::this_thread::yield();
  context.reset();
  waiting.join();
  CHECK(error == asio::error::operation_aborted);
  CHECK(code_thrown_by([&] { resource.async_invoke([](int&) {}, block); }) == errc::closed);
}

TEST_CASE("a function that is cancelled while queued wakes the thread that waits for it", "[async_resource][block]") {
  testing::event held, release;
  testing::pool_1 home;
  const auto resource = asyncres::make_async_resource<plain>(home.context());
  resource.async_invoke([&](plain&) { held.set(), (void)release.wait(); }, asio::detached);
  CHECK(held.wait());
  asio::cancellation_signal signal;
  std::error_code error;
  std::thread waiting(
      [&] { resource.async_invoke([](plain&) {}, asio::bind_cancellation_slot(signal.slot(), block[error])); });
  while (resource.stats().queued == 0) std::this_thread::yield();
  signal.emit(asio::cancellation_type::terminal);
  waiting.join();
  CHECK(error == asio::error::operation_aborted);
  release.set();
}

TEST_CASE("many threads may block on one resource", "[async_resource][block]") {
  testing::pool_4 home;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) resource.async_invoke([](int& n) { ++n; }, block);
    });
  for (auto& thread : threads) thread.join();
  CHECK(resource.async_invoke([](int& n) { return n; }, block) == 4'000);
}

namespace {

// Two steps on one resource; the second tells where the first one's handler was called.
template <class Resource, class Token>
auto async_twice(const Resource& resource, bool fails, Token&& token) {
  return asio::async_compose<Token, void(std::exception_ptr, std::thread::id)>(
      [resource, fails, step = 0, where = std::thread::id()](auto& self, std::exception_ptr e = {}) mutable {
        if (step++ == 0) return resource.async_invoke([](int&) {}, std::move(self));
        if (fails) throw std::logic_error("from a handler");
        if (step++ == 2) {
          where = std::this_thread::get_id();
          return resource.async_invoke([](int&) {}, std::move(self));
        }
        self.complete(e, where);
      },
      token);
}

}  // namespace

TEST_CASE("handlers composed around block run on the thread that waits, and what they throw comes out of the call",
          "[async_resource][block]") {
  testing::pool_1 home;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 1);
  CHECK(async_twice(resource, false, block) == std::this_thread::get_id());
  CHECK_THROWS_AS(async_twice(resource, true, block), std::logic_error);
  const auto ask_again = [&](std::exception_ptr, int) {
    return resource.async_invoke([](int& n) { return n + 10; }, asio::deferred);
  };
  CHECK(resource.async_invoke([](int& n) { return n; }, asio::deferred(ask_again))(block) == 11);
}

TEST_CASE("a wait that is over leaves no trace, also of a composed operation", "[async_resource][block]") {
  testing::pool_1 a, b;
  const auto first = asyncres::make_async_resource<int>(a.context(), 1);
  {
    testing::pool_1 c;
    const auto gone = asyncres::make_async_resource<int>(c.context(), 3);
    const auto ask_gone = [&](std::exception_ptr, int) {
      return gone.async_invoke([](int& n) { return n; }, asio::deferred);
    };
    CHECK(first.async_invoke([](int& n) { return n; }, asio::deferred(ask_gone))(block) == 3);
    const auto ask_first = [&](int&) { return first.async_invoke([](int& n) { return n; }, block); };
    CHECK(gone.async_invoke(ask_first, block) == 1);
  }
  const auto second = asyncres::make_async_resource<int>(b.context(), 2);
  const auto ask_first = [&](int&) { return first.async_invoke([](int& n) { return n; }, block); };
  CHECK(second.async_invoke(ask_first, block) == 1);
}

TEST_CASE("a refused operation may own the context of home", "[async_resource][block]") {
  auto context = std::make_shared<asio::io_context>();
  const std::weak_ptr<asio::io_context> gone = context;
  asyncres::resource_options options;
  options.max_pending = 0;
  const async_resource<asio::any_io_executor, int> resource(context->get_executor(), options, std::in_place, 1);
  std::error_code error;
  resource.async_invoke([](int&) {}, asio::consign(block[error], std::move(context)));
  CHECK(error == errc::queue_full);
  CHECK(gone.expired());
}

TEST_CASE("block returns a result that has no default", "[async_resource][block]") {
  struct no_default {
    explicit no_default(int v) : value(v) {}
    int value;
  };
  const auto start = [](void* context, void (*callback)(no_default, void*)) { callback(no_default(4), context); };
  CHECK(asyncres::completion_token_transform<void(no_default)>(block, start).value == 4);
}
