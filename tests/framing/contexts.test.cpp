// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Frames on contexts of one thread and of several, where each step of an operation may run on another thread.

#include "support/contexts.hpp"

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/strand.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <future>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "async_resource/error.hpp"
#include "async_resource/framing.hpp"
#include "support/framing.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;
using asyncres::errc;

using sockets_type = socket_pair<asio::local::stream_protocol>;
using socket = sockets_type::socket;

const auto too_large = std::string(65'536, 'x');

/// Sends back every frame, until something ends the stream.
asio::awaitable<std::error_code> echo(socket& stream) {
  std::string payload;
  for (;;) {
    const auto [error, size] = co_await async_read_frame(stream, payload, asio::as_tuple(asio::use_awaitable));
    if (error) co_return error;
    co_await async_write_frame(stream, asio::buffer(payload, size), asio::use_awaitable);
  }
}

/// How many payloads came back as they were sent; then ends the stream.
asio::awaitable<std::size_t> ask(socket& stream, const std::vector<std::string>& payloads) {
  std::size_t equal = 0;
  std::string reply;
  for (const auto& payload : payloads) {
    co_await async_write_frame(stream, asio::buffer(payload), asio::use_awaitable);
    co_await async_read_frame(stream, reply, asio::use_awaitable);
    equal += reply == payload;
  }
  stream.shutdown(socket::shutdown_send);
  co_return equal;
}

asio::awaitable<std::size_t> send(socket& stream, const std::vector<std::string>& payloads) {
  std::size_t bytes = 0;
  for (const auto& payload : payloads)
    bytes += co_await async_write_frame(stream, asio::buffer(payload), asio::use_awaitable);
  co_return bytes;
}

asio::awaitable<std::size_t> receive(socket& stream, const std::vector<std::string>& payloads) {
  std::size_t bytes = 0;
  std::string received;
  for (const auto& payload : payloads) {
    const auto size = co_await async_read_frame(stream, received, asio::use_awaitable);
    if (received == payload) bytes += size;
  }
  co_return bytes;
}

std::vector<std::string> random_payloads(std::size_t count) {
  std::mt19937 random(Catch::getSeed());
  std::uniform_int_distribution<std::size_t> sizes(0, 65'535);
  std::vector<std::string> payloads;
  while (payloads.size() != count) payloads.emplace_back(sizes(random), static_cast<char>('a' + payloads.size() % 26));
  return payloads;
}

}  // namespace

TEMPLATE_TEST_CASE("frames of random sizes come back from a peer on any context, then the end", "[framing][contexts]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr std::size_t pairs = 4;
  const auto payloads = random_payloads(50);
  TestType context;
  std::vector<sockets_type> sockets;
  for (std::size_t i = 0; i != pairs; ++i) sockets.emplace_back(context.context());

  std::vector<std::future<std::error_code>> peers;
  std::vector<std::future<std::size_t>> counts;
  for (auto& [first, second] : sockets) {
    peers.push_back(asio::co_spawn(context.get_executor(), echo(second), asio::use_future));
    counts.push_back(asio::co_spawn(context.get_executor(), ask(first, payloads), asio::use_future));
  }
  for (auto& count : counts) CHECK(count.get() == payloads.size());
  for (auto& peer : peers) CHECK(peer.get() == asio::error::eof);
}

TEMPLATE_TEST_CASE("one strand may send and receive on a stream at the same time", "[framing][contexts]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  const auto payloads = random_payloads(50);
  std::size_t bytes = 0;
  for (const auto& payload : payloads) bytes += payload.size();
  TestType context;
  sockets_type sockets(context.context());

  // Each of the ends is used by two coroutines.
  std::vector<std::future<std::size_t>> ends;
  for (auto* const stream : {&sockets.first, &sockets.second}) {
    const auto strand = asio::make_strand(context.get_executor());
    ends.push_back(asio::co_spawn(strand, send(*stream, payloads), asio::use_future));
    ends.push_back(asio::co_spawn(strand, receive(*stream, payloads), asio::use_future));
  }
  for (auto& end : ends) CHECK(end.get() == bytes);
}

TEMPLATE_TEST_CASE("an end between frames is the end, and one inside a frame truncates it, on any context",
                   "[framing][contexts]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType context;
  const std::string frame = frame_of("payload");
  for (std::size_t size = 0; size != frame.size(); ++size) {
    sockets_type sockets(context.context());
    std::string payload;
    auto read = async_read_frame(sockets.second, payload, future_outcome);
    asio::write(sockets.first, asio::buffer(frame, size));
    sockets.first.close();
    CHECK(read.get() == failure(size == 0 ? std::error_code(asio::error::eof) : errc::frame_truncated));
  }
}

TEMPLATE_TEST_CASE("a frame that is too large is refused at both ends, on any context", "[framing][contexts]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType context;
  sockets_type sockets(context.context());
  std::string payload = "untouched";
  auto read = async_read_frame(sockets.second, payload, 3, future_outcome);
  CHECK(async_write_frame(sockets.first, asio::buffer(too_large), future_outcome).get() ==
        failure(errc::frame_too_large));
  CHECK(async_write_frame(sockets.first, asio::buffer("four", 4), future_outcome).get() == success(4));
  CHECK(read.get() == failure(errc::frame_too_large));
  CHECK(payload == "untouched");
}
