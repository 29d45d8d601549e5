// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A frame_reader and a frame_writer with every style of completion token.

#if defined(__GNUC__) && !defined(__clang__)
// Asio's coroutine frames have operators of their own, and g++ sees only one of the pair inlined.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

#include <asio/any_completion_handler.hpp>
#include <asio/append.hpp>
#include <asio/bind_allocator.hpp>
#include <asio/bind_executor.hpp>
#include <asio/bind_immediate_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/consign.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/experimental/promise.hpp>
#include <asio/experimental/use_promise.hpp>
#include <asio/prepend.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

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

using payload_list = std::vector<std::string>;

// Reads from and writes to a stream of memory.
struct connection {
  explicit connection(asio::any_io_executor executor, const payload_list& payloads = {"1", "2", "3", "4", "5", "6"})
      : stream(std::move(executor), frames_of(payloads)) {
    REQUIRE_FALSE(writer.add(asio::buffer("payload", 7)));
  }

  memory_stream stream;
  frame_reader<memory_stream> reader{stream, {.max_frames = 1}};
  frame_writer<memory_stream> writer{stream};
};

/// Adds what has been read, and writes it.
template <class... ReadToken, class... FlushToken>
asio::awaitable<void> echo(connection& peer, std::tuple<ReadToken...> read, std::tuple<FlushToken...> flush) {
  const auto frames = co_await std::apply([&](auto... t) { return peer.reader.async_read_frames(t...); }, read);
  for (const auto payload : frames)
    if (peer.writer.add(payload)) co_return;
  co_await std::apply([&](auto... t) { return peer.writer.async_flush(t...); }, flush);
}

}  // namespace

TEMPLATE_TEST_CASE("a coroutine awaits batches, by use_awaitable, deferred, and without a token", "[framing][tokens]",
                   asio::io_context, asio::thread_pool) {
  TestType context;
  connection peer(context.get_executor());
  const auto serve = [&]() -> asio::awaitable<void> {
    co_await echo(peer, std::tuple(asio::use_awaitable), std::tuple(asio::use_awaitable));
    co_await echo(peer, std::tuple(asio::deferred), std::tuple(asio::deferred));
    co_await echo(peer, std::tuple(), std::tuple());
    const auto [error, frames] = co_await peer.reader.async_read_frames(asio::as_tuple(asio::use_awaitable));
    if (error || peer.writer.add(*frames.begin())) co_return;
    co_await peer.writer.async_flush(asio::as_tuple(asio::use_awaitable));
  };
  wait(context, asio::co_spawn(context, serve(), asio::use_future));
  CHECK(peer.stream.written() == frames_of({"payload", "1", "2", "3", "4"}));
}

TEST_CASE("the default token of the stream's executor is that of a reader and of a writer", "[framing][tokens]") {
  asio::io_context context;
  socket_pair<asio::local::stream_protocol> sockets(context);
  using socket_type = asio::use_awaitable_t<>::as_default_on_t<asio::local::stream_protocol::socket>;
  socket_type first(std::move(sockets.first));
  socket_type second(std::move(sockets.second));
  const auto exchange = [&]() -> asio::awaitable<payload_list> {
    frame_writer writer(first);
    if (writer.add(asio::buffer("payload", 7))) co_return payload_list();
    asio::awaitable<std::size_t, asio::any_io_executor> flushed = writer.async_flush();
    co_await std::move(flushed);
    frame_reader reader(second);
    asio::awaitable<frames<>, asio::any_io_executor> read = reader.async_read_frames();
    co_return strings(co_await std::move(read));
  };
  CHECK(wait(context, asio::co_spawn(context, exchange(), asio::use_future)) == payload_list{"payload"});
}

TEST_CASE("a future throws what a read of frames ended with", "[framing][tokens]") {
  asio::io_context context;
  memory_stream stream(context.get_executor(), "\x01");
  frame_reader reader(stream);
  auto future = reader.async_read_frames(asio::use_future);
  context.run();
  CHECK(code_thrown_by([&] { future.get(); }) == errc::frame_truncated);
}

TEST_CASE("callbacks of readers and writers may be move-only, and are never called inside the initiating function",
          "[framing][tokens]") {
  asio::io_context context;
  connection peer(context.get_executor());
  int calls = 0;
  const auto handler = [&] {
    return [&, owned = std::make_unique<int>()](std::error_code error, auto) { calls += !error; };
  };
  peer.writer.async_flush(handler());
  peer.reader.async_read_frames(handler());
  CHECK(calls == 0);
  context.run();
  CHECK(calls == 2);

  // What needs neither reading nor writing.
  context.restart();
  peer.writer.async_flush(handler());
  peer.reader.async_read_frames(handler());
  CHECK(calls == 2);
  context.run();
  CHECK(calls == 4);
}

TEST_CASE("adapted tokens of readers and writers pass their arguments through", "[framing][tokens]") {
  asio::io_context context;
  connection peer(context.get_executor());
  int calls = 0;
  std::error_code error;
  const auto read = [&](auto token) {
    peer.reader.async_read_frames(std::move(token));
    context.run();
    context.restart();
  };
  const auto handler = [&](std::error_code e, frames<> f) { calls += !e && f.size() == 1; };
  read(asio::append([&](auto e, auto f, int) { handler(e, f); }, 1));
  read(asio::prepend([&](int, auto e, auto f) { handler(e, f); }, 1));
  read(asio::consign(handler, std::make_unique<int>()));
  read(asio::any_completion_handler<void(std::error_code, frames<>)>(handler));
  read(asio::redirect_error([&](auto f) { handler({}, f); }, error));
  read(asio::detached);
  CHECK(calls == 5);
  CHECK(peer.stream.unread().empty());

  const auto flush = [&](auto token) {
    REQUIRE_FALSE(peer.writer.add(asio::buffer("1", 1)));
    peer.writer.async_flush(std::move(token));
    context.run();
    context.restart();
  };
  flush(asio::detached);
  const auto flushed = [&](std::error_code e, std::size_t n) { calls += !e && n == 3; };
  flush(asio::append([&](auto e, auto n, int) { flushed(e, n); }, 1));
  flush(asio::prepend([&](int, auto e, auto n) { flushed(e, n); }, 1));
  flush(asio::consign(flushed, std::make_unique<int>()));
  flush(asio::any_completion_handler<void(std::error_code, std::size_t)>(flushed));
  flush(asio::redirect_error([&](auto n) { flushed({}, n); }, error));
  CHECK(calls == 10);
}

TEST_CASE("reads and flushes combine in parallel groups, awaitable operators and promises", "[framing][tokens]") {
  using namespace asio::experimental::awaitable_operators;
  asio::io_context context;
  connection peer(context.get_executor());
  const auto combine = [&]() -> asio::awaitable<std::size_t> {
    const auto [read, flushed] =
        co_await (peer.reader.async_read_frames(asio::use_awaitable) && peer.writer.async_flush(asio::use_awaitable));
    const auto group = co_await asio::experimental::make_parallel_group(peer.reader.async_read_frames(asio::deferred),
                                                                        peer.writer.async_flush(asio::deferred))
                           .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    auto promise = peer.reader.async_read_frames(asio::experimental::use_promise);
    const auto promised = co_await promise(asio::use_awaitable);
    co_return flushed * 100 + read.size() + std::get<2>(group).size() + promised.size();
  };
  CHECK(wait(context, asio::co_spawn(context, combine(), asio::use_future)) == 903);
}

TEMPLATE_TEST_CASE("the handlers of a reader and a writer run on their associated executors", "[framing][tokens]",
                   asio::io_context, asio::thread_pool) {
  asio::thread_pool home(1);
  TestType context;
  connection peer(context.get_executor());
  connection idle(context.get_executor());
  int calls = 0;
  const auto handler = [&] {
    return asio::bind_executor(home,
                               [&](std::error_code, auto) { calls += home.get_executor().running_in_this_thread(); });
  };
  wait(context, idle.writer.async_flush(future_outcome));
  peer.reader.async_read_frames(handler());
  peer.writer.async_flush(handler());
  idle.writer.async_flush(handler());
  if constexpr (std::same_as<TestType, asio::io_context>) {
    context.restart();
    context.run();
  } else {
    context.join();
  }
  home.join();
  CHECK(calls == 3);
}

TEST_CASE("a reader and a writer take an operation's memory from its allocator, and give it back before the handler",
          "[framing][tokens]") {
  using socket_type = asio::basic_stream_socket<asio::local::stream_protocol, asio::io_context::executor_type>;
  asio::io_context context;
  socket_type first(context);
  socket_type second(context);
  asio::local::connect_pair(first, second);
  frame_reader reader(first);
  frame_writer writer(second);
  allocation_count count;
  std::optional<int> live;
  auto handler =
      asio::bind_allocator(counting_allocator<void>(count), [&](std::error_code, auto) { live = count.live; });
  SECTION("nothing to write") {
    writer.async_flush(std::move(handler));
  }
  SECTION("flush") {
    REQUIRE_FALSE(writer.add(asio::buffer("payload", 7)));
    writer.async_flush(std::move(handler));
  }
  SECTION("read") {
    reader.async_read_frames(std::move(handler));
    asio::write(second, asio::buffer(frames_of({"one", "two"})));
  }
  SECTION("nothing to read") {
    asio::write(second, asio::buffer(frames_of({"one", "two"})));
    frame_reader one_by_one(first, {.max_frames = 1});
    wait(context, one_by_one.async_read_frames(future_outcome));
    context.restart();
    one_by_one.async_read_frames(std::move(handler));
    context.run();
  }
  context.run();
  CHECK(count.allocations > 0);
  CHECK(live == 0);
}

TEST_CASE("a flush that cannot start has written nothing, and may be repeated", "[framing][tokens]") {
  using socket_type = asio::basic_stream_socket<asio::local::stream_protocol, asio::io_context::executor_type>;
  asio::io_context context;
  socket_type first(context);
  socket_type second(context);
  asio::local::connect_pair(first, second);
  frame_writer writer(first);
  allocation_count count;
  const auto handler = [&] {
    return asio::bind_allocator(counting_allocator<void>(count), [](std::error_code, std::size_t) {});
  };
  const std::string large(2000, 'x');
  const std::vector<std::string> payloads{"one", large, "two"};

  REQUIRE_FALSE(writer.add(asio::buffer(payloads[0])));
  count.fail_next = true;
  CHECK_THROWS_AS(writer.async_flush(handler()), std::bad_alloc);
  REQUIRE_FALSE(writer.add_borrowed(asio::buffer(payloads[1])));
  count.fail_next = true;
  CHECK_THROWS_AS(writer.async_flush(handler()), std::bad_alloc);
  REQUIRE_FALSE(writer.add(asio::buffer(payloads[2])));
  CHECK(writer.size() == 5);
  CHECK(wait(context, writer.async_flush(future_outcome)) == success(5 + 2002 + 5));
  first.close();
  frame_reader reader(second);
  CHECK(read_all(context, reader).first == std::vector<payload_list>{payloads});
}

TEST_CASE("a handler that throws out of a flush, on the immediate executor, does not bring frames back",
          "[framing][tokens]") {
  asio::io_context context;
  socket_pair<asio::local::stream_protocol> sockets(context);
  frame_writer writer(sockets.first);
  REQUIRE_FALSE(writer.add(asio::buffer("one", 3)));
  asio::post(context, [&] {
    writer.async_flush(asio::bind_immediate_executor(
        asio::system_executor(), [](std::error_code, std::size_t) { throw std::runtime_error("the handler's"); }));
  });
  CHECK_THROWS_AS(context.run(), std::runtime_error);
  CHECK(writer.size() == 0);
  REQUIRE_FALSE(writer.add(asio::buffer("two", 3)));
  CHECK(wait(context, writer.async_flush(future_outcome)) == success(5));
  sockets.first.close();
  frame_reader reader(sockets.second);
  CHECK(read_all(context, reader).first == std::vector<payload_list>{{"one", "two"}});
}

TEST_CASE("what needs no reading or writing completes through the associated immediate executor", "[framing][tokens]") {
  asio::io_context context;
  memory_stream stream(context.get_executor(), frames_of({"one", "two"}));
  frame_reader reader(stream, {.max_frames = 1});
  frame_writer writer(stream);
  wait(context, reader.async_read_frames(future_outcome));
  int calls = 0;
  int inside = 0;
  context.restart();
  asio::post(context, [&] {
    const auto handler = [&](std::error_code, auto) { ++calls; };
    reader.async_read_frames(asio::bind_immediate_executor(context.get_executor(), handler));
    writer.async_flush(asio::bind_immediate_executor(context.get_executor(), handler));
    inside = calls;
  });
  context.run();
  CHECK(calls == 2);
  CHECK(inside == 2);
}

TEST_CASE("a chain of reads or flushes runs in constant stack", "[framing][tokens]") {
  constexpr int rounds = 100'000;
  asio::io_context context;
  memory_stream stream(context.get_executor(), std::string(2 * rounds, '\0'));
  frame_reader reader(stream, {.max_frames = 1});
  frame_writer writer(stream);
  stack_gauge stack;
  int count = 0;
  std::function<void(std::error_code, frames<>)> read = [&](std::error_code, frames<>) {
    stack.measure();
    if (++count != rounds) reader.async_read_frames(read);
  };
  std::function<void(std::error_code, std::size_t)> flush = [&](std::error_code, std::size_t) {
    stack.measure();
    if (++count != rounds) writer.async_flush(flush);
  };
  SECTION("read") {
    reader.async_read_frames(read);
  }
  SECTION("flush") {
    writer.async_flush(flush);
  }
  context.run();
  CHECK(count == rounds);
  CHECK(stack.spread() < 64 * 1024);
}
