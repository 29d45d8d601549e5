// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Frames over connected sockets.

#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async_resource/error.hpp"
#include "async_resource/framing.hpp"
#include "support/framing.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;
using asyncres::errc;

template <class Context, class Protocol>
struct fixture {
  using context_type = Context;
  using pair_type = socket_pair<Protocol>;
};

using local = asio::local::stream_protocol;
using tcp = asio::ip::tcp;

/// Writes every payload, then closes.
template <class Socket>
asio::awaitable<void> send(Socket socket, const std::vector<std::string>& payloads) {
  for (const auto& payload : payloads) co_await async_write_frame(socket, asio::buffer(payload), asio::use_awaitable);
}

/// How many frames arrived as they were sent, before the stream ended.
template <class Socket>
asio::awaitable<std::size_t> receive(Socket& socket, const std::vector<std::string>& payloads) {
  std::string payload;
  for (std::size_t count = 0;; ++count) {
    const auto [error, size] = co_await async_read_frame(socket, payload, asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::eof) co_return count;
    if (error) throw std::system_error(error);
    if (size != payload.size() || payload != payloads.at(count)) throw std::runtime_error("not what was sent");
  }
}

}  // namespace

#define CONTEXTS_AND_SOCKETS                                                                                 \
  (fixture<asio::io_context, local>), (fixture<asio::io_context, tcp>), (fixture<asio::thread_pool, local>), \
      (fixture<asio::thread_pool, tcp>)

TEMPLATE_TEST_CASE("frames of random sizes arrive as they were sent, then the end", "[framing][sockets]",
                   CONTEXTS_AND_SOCKETS) {
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::vector<std::string> payloads;
  for (const std::size_t size : {0UL, 1UL, 65'534UL, 65'535UL}) payloads.emplace_back(size, 'x');
  while (payloads.size() != 500)
    payloads.emplace_back(std::uniform_int_distribution<std::size_t>(0, 65'535)(random),
                          static_cast<char>('a' + payloads.size() % 26));

  typename TestType::context_type context;
  typename TestType::pair_type sockets(context);
  asio::co_spawn(context, send(std::move(sockets.first), payloads), asio::detached);
  CHECK(wait(context, asio::co_spawn(context, receive(sockets.second, payloads), asio::use_future)) == 500);
}

TEMPLATE_TEST_CASE("of a payload that is too large the peer sees nothing", "[framing][sockets]", CONTEXTS_AND_SOCKETS) {
  typename TestType::context_type context;
  typename TestType::pair_type sockets(context);
  const std::string payload(65'536, 'x');
  CHECK(wait(context, async_write_frame(sockets.first, asio::buffer(payload), future_outcome)) ==
        failure(errc::frame_too_large));
  sockets.first.close();

  std::array<char, 1> byte;
  std::error_code error;
  CHECK(asio::read(sockets.second, asio::buffer(byte), error) == 0);
  CHECK(error == asio::error::eof);
}

TEMPLATE_TEST_CASE("after a payload was refused the connection still serves", "[framing][sockets]",
                   CONTEXTS_AND_SOCKETS) {
  typename TestType::context_type context;
  typename TestType::pair_type sockets(context);
  const std::string payload(65'536, 'x');
  CHECK(wait(context, async_write_frame(sockets.first, asio::buffer(payload), future_outcome)) ==
        failure(errc::frame_too_large));
  CHECK(wait(context, async_write_frame(sockets.first, asio::buffer("next", 4), future_outcome)) == success(4));
  std::string received;
  CHECK(wait(context, async_read_frame(sockets.second, received, future_outcome)) == success(4));
  CHECK(received == "next");
}

TEMPLATE_TEST_CASE("a peer that closes inside a frame truncates it", "[framing][sockets]", CONTEXTS_AND_SOCKETS) {
  typename TestType::context_type context;
  const std::string frame = frame_of("payload");
  for (std::size_t size = 0; size != frame.size(); ++size) {
    typename TestType::pair_type sockets(context);
    asio::write(sockets.first, asio::buffer(frame, size));
    sockets.first.close();
    std::string payload;
    const std::error_code expected = size == 0 ? std::error_code(asio::error::eof) : errc::frame_truncated;
    CHECK(wait(context, async_read_frame(sockets.second, payload, future_outcome)) == failure(expected));
  }
}
