// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_ECHO_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_ECHO_HPP

// A server that echoes frames, and its client, over the two ends of any connection.
//
// A Connection is constructed from an execution context. It has the two `sockets`, the ends `client` and `server` over
// the first and the second, and coroutines that open and close each: open(end), close(end).

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/socket_base.hpp>
#include <asio/strand.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <future>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async_resource/framing.hpp"
#include "support/framing.hpp"

namespace testing {

using namespace asio::experimental::awaitable_operators;

/// Bounds what the sockets hold on the way to the first of them, and returns it.
inline std::size_t bound_buffers(auto& sockets) {
  asio::socket_base::send_buffer_size sending(64 * 1024);
  asio::socket_base::receive_buffer_size receiving(64 * 1024);
  sockets.second.set_option(sending);
  sockets.first.set_option(receiving);
  sockets.second.get_option(sending);
  sockets.first.get_option(receiving);
  return static_cast<std::size_t>(sending.value() + receiving.value());
}

/// What a server has read and answered.
struct echo_figures {
  std::size_t bytes = 0;
  std::size_t frames = 0;
  std::size_t batches = 0;
  std::size_t most = 0;  // bytes waiting to be written
  std::error_code end;
};

template <class Connection>
asio::awaitable<void> serve(Connection& connection, echo_figures& figures) {
  using namespace asyncres::framing;
  co_await connection.open(connection.server);
  frame_reader reader(connection.server);
  frame_writer writer(connection.server);
  for (;;) {
    const auto [error, batch] = co_await reader.async_read_frames(asio::as_tuple(asio::use_awaitable));
    figures.end = error;
    if (error) break;
    figures.bytes += batch.bytes().size();
    figures.frames += batch.size();
    ++figures.batches;
    for (const auto payload : batch)
      if (writer.add_borrowed(payload)) throw std::runtime_error("a payload too large came through");
    figures.most = std::max(figures.most, writer.size());
    co_await writer.async_flush(asio::use_awaitable);
  }
  co_await connection.close(connection.server);
}

template <class Connection>
asio::awaitable<void> send(Connection& connection, const std::vector<std::string>& payloads) {
  asyncres::framing::frame_writer writer(connection.client);
  for (const auto& payload : payloads) {
    if (writer.add_borrowed(asio::buffer(payload))) throw std::runtime_error("too large");
    if (writer.size() > 100'000) co_await writer.async_flush(asio::use_awaitable);
  }
  co_await writer.async_flush(asio::use_awaitable);
}

/// How many replies are what was sent, in order.
template <class Connection>
asio::awaitable<std::size_t> receive(Connection& connection, const std::vector<std::string>& payloads) {
  asyncres::framing::frame_reader reader(connection.client);
  std::size_t equal = 0;
  for (std::size_t count = 0; count != payloads.size();) {
    const auto replies = strings(co_await reader.async_read_frames(asio::use_awaitable));
    for (const auto& reply : replies) equal += reply == payloads.at(count++);
  }
  co_return equal;
}

/// Sends and receives at the same time, then closes. The last reply may be there before the last write has completed,
/// and a TLS stream that is told to close while it writes never sends what closes it.
template <class Connection>
asio::awaitable<std::size_t> exchange(Connection& connection, const std::vector<std::string>& payloads) {
  co_await connection.open(connection.client);
  const std::size_t equal = co_await (send(connection, payloads) && receive(connection, payloads));
  co_await connection.close(connection.client);
  co_return equal;
}

/// Frames of every magnitude, in no order.
inline std::vector<std::string> payloads_of_all_sizes(std::size_t count) {
  std::mt19937 random(Catch::getSeed());
  const auto up_to = [&](std::size_t last) { return std::uniform_int_distribution<std::size_t>(0, last)(random); };
  std::vector<std::string> payloads;
  for (const std::size_t size : {0UL, 1UL, 65'534UL, 65'535UL}) payloads.emplace_back(size, 'x');
  while (payloads.size() != count)
    payloads.emplace_back(up_to((std::size_t{1} << up_to(16)) - 1), static_cast<char>('a' + payloads.size() % 26));
  std::ranges::shuffle(payloads, random);
  return payloads;
}

/// Pipelined frames come back in order, and the end of the stream after them.
template <class Connection, class Threads>
void check_echo() {
  CAPTURE(Catch::getSeed());
  const auto payloads = payloads_of_all_sizes(1000);
  Threads threads;
  Connection connection(threads.context());
  echo_figures figures;
  auto served = asio::co_spawn(asio::make_strand(threads.get_executor()), serve(connection, figures), asio::use_future);
  const auto client = asio::make_strand(threads.get_executor());
  auto received = asio::co_spawn(client, exchange(connection, payloads), asio::use_future);
  CHECK(received.get() == payloads.size());
  served.get();
  CHECK(figures.frames == payloads.size());
  CHECK(figures.end == asio::error::eof);
}

/// While the client does not read, the server stops reading; then nothing is lost.
template <class Connection>
void check_back_pressure() {
  const std::vector<std::string> payloads(50'000, std::string(500, 'x'));
  asio::io_context context;
  Connection connection(context);
  const std::size_t underway = bound_buffers(connection.sockets);
  echo_figures figures;
  auto served = asio::co_spawn(context, serve(connection, figures), asio::use_future);
  const auto open_and_send = [&]() -> asio::awaitable<void> {
    co_await connection.open(connection.client);
    co_await send(connection, payloads);
  };
  auto sent = asio::co_spawn(context, open_and_send(), asio::use_future);
  while (context.poll() != 0) continue;
  CHECK(figures.bytes > 0);
  CHECK(figures.bytes < 4 * underway);  // of 25 MB; what the kernel holds is not quite what it says
  CHECK(figures.most <= 16 * 1024);

  const auto finish = [&](auto future) {
    while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) context.run_one();
    return future.get();
  };
  auto received = asio::co_spawn(context, receive(connection, payloads), asio::use_future);
  CHECK(finish(std::move(received)) == payloads.size());
  finish(std::move(sent));
  wait(context, asio::co_spawn(context, connection.close(connection.client), asio::use_future));
  served.get();
  CHECK(figures.frames == payloads.size());
  CHECK(figures.most <= 16 * 1024);
}

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_ECHO_HPP
