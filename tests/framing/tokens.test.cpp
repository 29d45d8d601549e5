// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Completion tokens and associated characteristics of the operations on frames.

#include <algorithm>
#include <asio/any_completion_handler.hpp>
#include <asio/append.hpp>
#include <asio/as_tuple.hpp>
#include <asio/bind_allocator.hpp>
#include <asio/bind_executor.hpp>
#include <asio/bind_immediate_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/consign.hpp>
#include <asio/deferred.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/experimental/promise.hpp>
#include <asio/experimental/use_promise.hpp>
#include <asio/prepend.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include "async_resource/error.hpp"
#include "async_resource/framing.hpp"
#include "support/counting_allocator.hpp"
#include "support/error_codes.hpp"
#include "support/framing.hpp"
#include "support/memory_stream.hpp"
#include "support/stack_gauge.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;
using asyncres::errc;

const auto small = asio::buffer("payload", 7);
const auto too_large = std::string(65'536, 'x');

}  // namespace

TEMPLATE_TEST_CASE("a coroutine awaits frames, by use_awaitable, deferred and as_tuple", "[framing][tokens]",
                   asio::io_context, asio::thread_pool) {
  TestType context;
  memory_stream in(context.get_executor(), frame_of("one") + frame_of("two") + frame_of("three"));
  memory_stream out(context.get_executor());
  const auto echo = [&]() -> asio::awaitable<void> {
    std::string payload;
    co_await async_read_frame(in, payload, asio::use_awaitable);
    co_await async_write_frame(out, asio::buffer(payload), asio::use_awaitable);
    co_await async_read_frame(in, payload, asio::deferred);
    co_await async_write_frame(out, asio::buffer(payload), asio::deferred);
    co_await async_read_frame(in, payload, asio::as_tuple(asio::use_awaitable));
    co_await async_write_frame(out, asio::buffer(payload), asio::as_tuple(asio::use_awaitable));
  };
  wait(context, asio::co_spawn(context, echo(), asio::use_future));
  CHECK(out.written() == frame_of("one") + frame_of("two") + frame_of("three"));
}

TEST_CASE("without a token the operation itself is returned, to be awaited", "[framing][tokens]") {
  asio::io_context context;
  memory_stream in(context.get_executor(), frame_of("one") + frame_of("two"));
  memory_stream out(context.get_executor());
  const auto echo = [&]() -> asio::awaitable<void> {
    std::string payload;
    co_await async_read_frame(in, payload);
    co_await async_write_frame(out, asio::buffer(payload));
    co_await async_read_frame(in, payload, 3);
    co_await async_write_frame(out, asio::buffer(payload), 3);
  };
  wait(context, asio::co_spawn(context, echo(), asio::use_future));
  CHECK(out.written() == frame_of("one") + frame_of("two"));
}

TEST_CASE("the default token of the stream's executor is used", "[framing][tokens]") {
  asio::io_context context;
  socket_pair<asio::local::stream_protocol> sockets(context);
  using socket_type = asio::use_awaitable_t<>::as_default_on_t<asio::local::stream_protocol::socket>;
  socket_type first(std::move(sockets.first));
  socket_type second(std::move(sockets.second));
  const auto exchange = [&]() -> asio::awaitable<std::string> {
    std::string payload;
    asio::awaitable<std::size_t> written = async_write_frame(first, small);
    asio::awaitable<std::size_t> read = async_read_frame(second, payload, 7);
    co_await std::move(written);
    co_await std::move(read);
    co_return payload;
  };
  CHECK(wait(context, asio::co_spawn(context, exchange(), asio::use_future)) == "payload");
}

TEST_CASE("a future throws what a read ended with", "[framing][tokens]") {
  asio::io_context context;
  memory_stream stream(context.get_executor(), "\x01");
  std::string payload;
  auto future = async_read_frame(stream, payload, asio::use_future);
  context.run();
  CHECK(code_thrown_by([&] { future.get(); }) == errc::frame_truncated);
}

TEST_CASE("callbacks may be move-only, and are called once, never inside the initiating function",
          "[framing][tokens]") {
  asio::io_context context;
  memory_stream stream(context.get_executor(), frame_of("payload"));
  std::string payload;
  int calls = 0;
  const auto handler = [&](std::error_code expected) {
    return [&, expected, owned = std::make_unique<int>()](std::error_code error, std::size_t) {
      calls += error == expected;
    };
  };
  async_read_frame(stream, payload, handler({}));
  async_write_frame(stream, small, handler({}));
  async_write_frame(stream, asio::buffer(too_large), handler(errc::frame_too_large));
  CHECK(calls == 0);
  context.run();
  CHECK(calls == 3);
}

TEST_CASE("adapted tokens pass their arguments through", "[framing][tokens]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  int calls = 0;
  std::error_code redirected;
  const auto handler = [&](std::error_code error, std::size_t size) { calls += !error && size == 7; };
  async_write_frame(stream, small, asio::append([=](auto e, auto n, int) { handler(e, n); }, 1));
  async_write_frame(stream, small, asio::prepend([=](int, auto e, auto n) { handler(e, n); }, 1));
  async_write_frame(stream, small, asio::consign(handler, std::make_unique<int>()));
  async_write_frame(stream, small, asio::any_completion_handler<void(std::error_code, std::size_t)>(handler));
  async_write_frame(stream, small, asio::redirect_error([=](auto n) { handler({}, n); }, redirected));
  async_write_frame(stream, small, asio::detached);
  context.run();
  CHECK(calls == 5);
  CHECK(stream.written().size() == 6 * 9);
}

TEST_CASE("operations on frames combine in parallel groups, awaitable operators and promises", "[framing][tokens]") {
  using namespace asio::experimental::awaitable_operators;
  asio::io_context context;
  socket_pair<asio::local::stream_protocol> sockets(context);
  memory_stream stream(context.get_executor(), frame_of("payload"));
  std::string first;
  std::string second;
  const auto combine = [&]() -> asio::awaitable<std::size_t> {
    asio::steady_timer expired(context, asio::steady_timer::time_point::min());
    const auto never = co_await (async_read_frame(sockets.first, first, asio::use_awaitable) ||
                                 expired.async_wait(asio::use_awaitable));
    const auto both =
        co_await asio::experimental::make_parallel_group(async_read_frame(stream, second, asio::deferred),
                                                         async_write_frame(sockets.first, small, asio::deferred))
            .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    auto promise = async_read_frame(sockets.second, first, asio::experimental::use_promise);
    co_return never.index() * 100 + std::get<2>(both) + std::get<4>(both) + co_await promise(asio::use_awaitable);
  };
  CHECK(wait(context, asio::co_spawn(context, combine(), asio::use_future)) == 121);
}

TEMPLATE_TEST_CASE("the handler runs on its associated executor", "[framing][tokens]", asio::io_context,
                   asio::thread_pool) {
  asio::thread_pool home(1);
  TestType context;
  memory_stream in(context.get_executor(), frame_of("payload"));
  memory_stream out(context.get_executor());
  std::string payload;
  int calls = 0;
  const auto handler = [&] {
    return asio::bind_executor(
        home, [&](std::error_code, std::size_t) { calls += home.get_executor().running_in_this_thread(); });
  };
  async_read_frame(in, payload, handler());
  async_write_frame(out, small, handler());
  async_write_frame(in, asio::buffer(too_large), handler());
  if constexpr (std::same_as<TestType, asio::io_context>)
    context.run();
  else
    context.join();
  home.join();
  CHECK(calls == 3);
}

TEST_CASE("memory comes from the associated allocator, and is back before the handler runs", "[framing][tokens]") {
  asio::io_context context;
  memory_stream stream(context.get_executor(), frame_of("payload"));
  std::string payload;
  allocation_count count;
  std::optional<int> live;
  auto handler =
      asio::bind_allocator(counting_allocator<void>(count), [&](std::error_code, std::size_t) { live = count.live; });
  SECTION("read") {
    async_read_frame(stream, payload, std::move(handler));
  }
  SECTION("write") {
    async_write_frame(stream, small, std::move(handler));
  }
  context.run();
  CHECK(count.allocations > 0);
  CHECK(live == 0);
}

TEST_CASE("a refused payload completes through the associated immediate executor", "[framing][tokens]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  bool called = false;
  bool inside = false;
  asio::post(context, [&] {
    async_write_frame(stream, asio::buffer(too_large),
                      asio::bind_immediate_executor(context.get_executor(), [&](std::error_code error, std::size_t) {
                        called = error == errc::frame_too_large;
                      }));
    inside = called;
  });
  context.run();
  CHECK(called);
  CHECK(inside);
}

TEST_CASE("a chain of frames runs in constant stack", "[framing][tokens]") {
  constexpr int frames = 100'000;
  asio::io_context context;
  std::string input;
  for (int i = 0; i != frames; ++i) input += frame_of(i % 2 == 0 ? "" : "x");
  memory_stream stream(context.get_executor(), std::move(input));
  std::string payload;
  testing::stack_gauge stack;
  int count = 0;

  std::function<void(std::error_code, std::size_t)> next = [&](std::error_code, std::size_t) {
    stack.measure();
    if (++count == frames) return;
    async_read_frame(stream, payload, next);
  };
  SECTION("read") {
    async_read_frame(stream, payload, next);
  }
  SECTION("refused write") {
    next = [&](std::error_code, std::size_t) {
      stack.measure();
      if (++count != frames) async_write_frame(stream, asio::buffer(too_large), next);
    };
    async_write_frame(stream, asio::buffer(too_large), next);
  }
  context.run();
  CHECK(count == frames);
  CHECK(stack.spread() < 64 * 1024);
}
