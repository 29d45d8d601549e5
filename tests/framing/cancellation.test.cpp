// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Cancelling a read or a write of a frame.

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/local/stream_protocol.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "async_resource/framing.hpp"
#include "support/framing.hpp"
#include "support/memory_stream.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;

using connection = socket_pair<asio::local::stream_protocol>;

/// A token that connects `signal`.
auto cancellable(asio::cancellation_signal& signal) {
  return asio::bind_cancellation_slot(signal.slot(), future_outcome);
}

}  // namespace

TEST_CASE("terminal cancellation aborts a read that waits for its frame", "[framing][cancellation]") {
  asio::io_context context;
  connection sockets(context);
  asio::cancellation_signal signal;
  std::string payload;
  auto future = async_read_frame(sockets.second, payload, cancellable(signal));
  signal.emit(asio::cancellation_type::terminal);
  CHECK(wait(context, std::move(future)) == failure(asio::error::operation_aborted));
}

TEST_CASE("terminal cancellation aborts a read inside a frame", "[framing][cancellation]") {
  const std::string frame = frame_of("payload");
  for (std::size_t size = 1; size != frame.size(); ++size) {
    asio::io_context context;
    connection sockets(context);
    asio::cancellation_signal signal;
    std::string payload;
    asio::write(sockets.first, asio::buffer(frame, size));
    auto future = async_read_frame(sockets.second, payload, cancellable(signal));
    context.poll();
    signal.emit(asio::cancellation_type::terminal);
    CHECK(wait(context, std::move(future)) == failure(asio::error::operation_aborted));
  }
}

TEST_CASE("cancellation between prefix and payload is not lost", "[framing][cancellation]") {
  asio::io_context context;
  memory_stream stream(context.get_executor(), frame_of("payload"));
  asio::cancellation_signal signal;
  std::string payload;
  auto future = async_read_frame(stream, payload, cancellable(signal));
  signal.emit(asio::cancellation_type::terminal);
  CHECK(wait(context, std::move(future)) == failure(asio::error::operation_aborted));
  CHECK(stream.unread() == "payload");
}

TEST_CASE("terminal cancellation aborts a write that the peer does not take", "[framing][cancellation]") {
  asio::io_context context;
  connection sockets(context);
  asio::cancellation_signal signal;
  const std::string payload(16 << 20, 'x');
  auto future = async_write_frame<length_prefix<std::uint32_t>>(sockets.first, asio::buffer(payload), payload.size(),
                                                                cancellable(signal));
  context.poll();
  signal.emit(asio::cancellation_type::terminal);
  CHECK(wait(context, std::move(future)) == failure(asio::error::operation_aborted));
}

TEST_CASE("partial and total cancellation leave the operation alone", "[framing][cancellation]") {
  asio::io_context context;
  connection sockets(context);
  asio::cancellation_signal signal;
  std::string payload;
  auto future = async_read_frame(sockets.second, payload, cancellable(signal));
  context.poll();
  signal.emit(asio::cancellation_type::partial);
  signal.emit(asio::cancellation_type::total);
  asio::write(sockets.first, asio::buffer(frame_of("payload")));
  CHECK(wait(context, std::move(future)) == success(7));
}

TEST_CASE("closing the stream aborts what is under way on it", "[framing][cancellation]") {
  asio::io_context context;
  connection sockets(context);
  std::string payload;
  auto future = async_read_frame(sockets.second, payload, future_outcome);
  context.poll();
  sockets.second.close();
  CHECK(wait(context, std::move(future)) == failure(asio::error::operation_aborted));
}

TEST_CASE("a context destroyed with operations under way destroys their handlers", "[framing][cancellation]") {
  const auto witness = std::make_shared<int>();
  std::string payload;
  {
    asio::io_context context;
    connection sockets(context);
    const auto handler = [witness](std::error_code, std::size_t) {};
    async_read_frame(sockets.first, payload, handler);
    async_write_frame(sockets.second, asio::buffer("payload", 7), handler);
    async_write_frame(sockets.second, asio::buffer("payload", 7), 6, handler);
  }
  CHECK(witness.use_count() == 1);
}
