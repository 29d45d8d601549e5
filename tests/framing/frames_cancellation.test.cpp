// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Cancelling a frame_reader or a frame_writer.

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async_resource/framing.hpp"
#include "support/framing.hpp"
#include "support/scripted_stream.hpp"

#if ASIO_VERSION >= 103100
#include <asio/cancel_after.hpp>
#endif

namespace {

using namespace asyncres::framing;
using namespace testing;

using connection = socket_pair<asio::local::stream_protocol>;
using payload_list = std::vector<std::string>;

const std::error_code aborted = asio::error::operation_aborted;

auto cancellable(asio::cancellation_signal& signal) {
  return asio::bind_cancellation_slot(signal.slot(), future_outcome);
}

}  // namespace

TEST_CASE("a read of frames is cancelled in any way, loses nothing, and may be repeated", "[framing][cancellation]") {
  const auto type =
      GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total);
  const std::string bytes = frames_of({"payload", "next"});
  for (std::size_t size = 0; size != 9; ++size) {
    asio::io_context context;
    connection sockets(context);
    frame_reader reader(sockets.second);
    asio::cancellation_signal signal;
    asio::write(sockets.first, asio::buffer(bytes, size));
    auto read = reader.async_read_frames(cancellable(signal));
    context.poll();
    signal.emit(type);
    const auto [error, none] = wait(context, std::move(read));
    CHECK(error == aborted);
    CHECK(none.empty());
    CHECK(reader.between_frames() == (size == 0));

    asio::write(sockets.first, asio::buffer(bytes) + size);
    const auto [success, frames] = wait(context, reader.async_read_frames(future_outcome));
    CHECK_FALSE(success);
    CHECK(strings(frames) == payload_list{"payload", "next"});
  }
}

TEST_CASE("cancellation between two reads is not lost, nor what had been read", "[framing][cancellation]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {"\x01", "x"});
  frame_reader<scripted_stream, length_prefix<std::uint8_t>> reader(stream);
  asio::cancellation_signal signal;
  auto read = reader.async_read_frames(cancellable(signal));
  signal.emit(asio::cancellation_type::total);
  CHECK(std::get<0>(wait(context, std::move(read))) == aborted);
  CHECK(stream.reads().size() == 1);
  CHECK(strings(std::get<1>(wait(context, reader.async_read_frames(future_outcome)))) == payload_list{"x"});
}

TEST_CASE("frames that are at hand are yielded though the read is cancelled", "[framing][cancellation]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {frames_of({"one", "two"})});
  frame_reader reader(stream, {.max_frames = 1});
  for (const char* expected : {"one", "two"}) {
    asio::cancellation_signal signal;
    auto read = reader.async_read_frames(cancellable(signal));
    signal.emit(asio::cancellation_type::terminal);
    CHECK(strings(std::get<1>(wait(context, std::move(read)))) == payload_list{expected});
  }
}

TEST_CASE("a read raced against a timer goes on afterwards", "[framing][cancellation]") {
  using namespace asio::experimental::awaitable_operators;
  asio::io_context context;
  connection sockets(context);
  frame_reader reader(sockets.second);
  const std::string bytes = frame_of("payload");
  const auto race = [&]() -> asio::awaitable<payload_list> {
    for (std::size_t i = 0; i != bytes.size(); ++i) {
      asio::steady_timer expired(context, asio::steady_timer::time_point::min());
      const auto first =
          co_await (reader.async_read_frames(asio::use_awaitable) || expired.async_wait(asio::use_awaitable));
      if (first.index() != 1) co_return payload_list{"too early"};
      asio::write(sockets.first, asio::buffer(bytes) + i, asio::transfer_exactly(1));
    }
    co_return strings(co_await reader.async_read_frames(asio::use_awaitable));
  };
  CHECK(wait(context, asio::co_spawn(context, race(), asio::use_future)) == payload_list{"payload"});
}

#if ASIO_VERSION >= 103100
TEST_CASE("cancel_after ends a read of frames, which then goes on", "[framing][cancellation]") {
  asio::io_context context;
  connection sockets(context);
  frame_reader reader(sockets.second);
  asio::write(sockets.first, asio::buffer(frame_of("payload"), 4));
  auto read = reader.async_read_frames(asio::cancel_after(std::chrono::milliseconds(1), future_outcome));
  CHECK(std::get<0>(wait(context, std::move(read))) == aborted);
  asio::write(sockets.first, asio::buffer(frame_of("payload")) + 4);
  CHECK(strings(std::get<1>(wait(context, reader.async_read_frames(future_outcome)))) == payload_list{"payload"});
}
#endif

TEST_CASE("closing the stream aborts a read of frames and a flush", "[framing][cancellation]") {
  asio::io_context context;
  connection sockets(context);
  frame_reader reader(sockets.second);
  frame_writer<connection::socket, length_prefix<std::uint32_t>> writer(sockets.second, 16 << 20);
  const std::string payload(16 << 20, 'x');
  REQUIRE_FALSE(writer.add_borrowed(asio::buffer(payload)));
  auto read = reader.async_read_frames(future_outcome);
  auto flushed = writer.async_flush(future_outcome);
  context.poll();
  sockets.second.close();
  CHECK(std::get<0>(wait(context, std::move(read))) == aborted);
  CHECK(std::get<0>(wait(context, std::move(flushed))) == aborted);
}

TEST_CASE("terminal cancellation aborts a flush that the peer does not take, no other does",
          "[framing][cancellation]") {
  asio::io_context context;
  connection sockets(context);
  frame_writer<connection::socket, length_prefix<std::uint32_t>> writer(sockets.first, 16 << 20);
  const std::string payload(16 << 20, 'x');
  REQUIRE_FALSE(writer.add_borrowed(asio::buffer(payload)));
  asio::cancellation_signal signal;
  auto flushed = writer.async_flush(cancellable(signal));
  context.poll();
  signal.emit(asio::cancellation_type::total);
  signal.emit(asio::cancellation_type::partial);
  context.poll();
  CHECK(flushed.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  signal.emit(asio::cancellation_type::terminal);
  const auto [error, bytes] = wait(context, std::move(flushed));
  CHECK(error == aborted);
  CHECK(bytes < payload.size());
}

TEST_CASE("a context destroyed while frames are read and written destroys the handlers", "[framing][cancellation]") {
  const auto witness = std::make_shared<int>();
  {
    asio::io_context context;
    connection sockets(context);
    frame_reader reader(sockets.first);
    frame_writer writer(sockets.second);
    reader.async_read_frames([witness](std::error_code, frames<>) {});
    REQUIRE_FALSE(writer.add(asio::buffer("payload", 7)));
    writer.async_flush([witness](std::error_code, std::size_t) {});
    frame_writer(sockets.first).async_flush([witness](std::error_code, std::size_t) {});
  }
  CHECK(witness.use_count() == 1);
}
