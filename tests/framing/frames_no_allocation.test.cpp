// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Once warm, a coroutine that reads and writes frames takes nothing from the heap.

#if defined(__GNUC__) && !defined(__clang__)
// Asio's coroutine frames have operators of their own, and g++ sees only one of the pair inlined.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

#include "support/allocation_counter.hpp"

#include <asio/co_spawn.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "async_resource/framing.hpp"
#include "support/framing.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;

using local = asio::local::stream_protocol;
using any_socket = local::socket;
using io_socket = asio::basic_stream_socket<local, asio::io_context::executor_type>;

/// Echoes `rounds` batches through both ends of a connection; returns how many allocations the later half took.
template <class Socket>
asio::awaitable<long> echo(Socket& first, Socket& second, std::string_view payload, int rounds) {
  frame_writer request(first);
  frame_reader requests(second);
  frame_writer reply(second);
  frame_reader replies(first);
  for (int round = 0; round != rounds; ++round) {
    if (round == rounds / 2) allocation_counter::start();
    for (int i = 0; i != 20; ++i)
      if (request.add_borrowed(asio::buffer(payload))) co_return -1;
    co_await request.async_flush(asio::deferred);
    for (std::size_t served = 0, batch = 0; served != 20; served += batch) {
      const frames<> arrived = co_await requests.async_read_frames(asio::deferred);
      batch = arrived.size();
      for (const auto each : arrived)
        if (reply.add(each)) co_return -1;
      co_await reply.async_flush(asio::deferred);
    }
    for (std::size_t received = 0; received != 20;) {
      const frames<> arrived = co_await replies.async_read_frames(asio::deferred);
      received += arrived.size();
    }
  }
  co_return allocation_counter::stop();
}

}  // namespace

TEMPLATE_TEST_CASE("once warm, batches that a coroutine reads and writes allocate nothing", "[framing][allocations]",
                   any_socket, io_socket) {
  if constexpr (!allocation_counter::works) SKIP("allocations are not counted here");
  asio::io_context context;
  TestType first(context);
  TestType second(context);
  asio::local::connect_pair(first, second);
  for (const std::size_t size : {0UL, 64UL, 1500UL}) {
    const std::string payload(size, 'x');
    CHECK(wait(context, asio::co_spawn(context, echo(first, second, payload, 20), asio::use_future)) == 0);
  }
}

TEST_CASE("what announces a large frame, and what follows it, allocates nothing until bytes come",
          "[framing][allocations]") {
  if constexpr (!allocation_counter::works) SKIP("allocations are not counted here");
  asio::io_context context;
  socket_pair<local> sockets(context);
  using prefix = length_prefix<std::uint32_t>;
  frame_reader<any_socket, prefix> reader(sockets.second, {.limit = std::size_t{1} << 30});
  const auto read = [&]() -> asio::awaitable<long> {
    asio::write(sockets.first, asio::buffer(frame_of<prefix>("")));
    co_await reader.async_read_frames(asio::deferred);
    asio::write(sockets.first, asio::buffer(std::string("\x3f\xff\xff\xff", 4) + std::string(16'000, 'x')));
    sockets.first.close();
    allocation_counter::start();
    co_await reader.async_read_frames(asio::as_tuple(asio::deferred));
    co_return allocation_counter::stop();
  };
  CHECK(wait(context, asio::co_spawn(context, read(), asio::use_future)) == 0);
}
