// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_FRAMING_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_FRAMING_HPP

#include <asio/as_tuple.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/use_future.hpp>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "async_resource/detail/asio.hpp"
#include "async_resource/framing/frames.hpp"
#include "async_resource/framing/length_prefix.hpp"

namespace testing {

/// What an operation on a frame completes with.
using outcome = std::tuple<std::error_code, std::size_t>;

inline outcome success(std::size_t payload) {
  return {std::error_code(), payload};
}
inline outcome failure(std::error_code error) {
  return {error, 0};
}

inline constexpr auto future_outcome = asio::as_tuple(asio::use_future);

/// Wait for what `future_outcome` returned.
template <class Future>
auto wait(asio::io_context& context, Future future) {
  context.restart();
  context.run();
  return future.get();
}

template <class Future>
auto wait(asio::thread_pool&, Future future) {
  return future.get();
}

template <class Prefix = asyncres::framing::length_prefix<>>
std::string frame_of(std::string_view payload) {
  const auto prefix = Prefix::encode(static_cast<typename Prefix::length_type>(payload.size()));
  std::string frame;
  for (const std::byte byte : prefix) frame += static_cast<char>(byte);
  return frame += payload;
}

template <class Prefix = asyncres::framing::length_prefix<>>
std::string frames_of(const std::vector<std::string>& payloads) {
  std::string frames;
  for (const auto& payload : payloads) frames += frame_of<Prefix>(payload);
  return frames;
}

/// The payloads of `frames`, copied.
template <class Prefix>
std::vector<std::string> strings(asyncres::framing::frames<Prefix> frames) {
  std::vector<std::string> payloads;
  for (const auto payload : frames)
    payloads.emplace_back(reinterpret_cast<const char*>(payload.data()), payload.size());
  return payloads;
}

/// Read until an error: what each read yielded, and the error.
template <class Context, class Reader>
auto read_all(Context& context, Reader& reader) {
  std::vector<std::vector<std::string>> batches;
  for (;;) {
    const auto [error, frames] = wait(context, reader.async_read_frames(future_outcome));
    if (error) return std::pair(std::move(batches), error);
    batches.push_back(strings(frames));
  }
}

/// Two connected sockets of `Protocol`.
template <class Protocol>
struct socket_pair {
  using socket = typename Protocol::socket;

  template <class Context>
  explicit socket_pair(Context& context) : first(context), second(context) {
    if constexpr (std::same_as<Protocol, asio::local::stream_protocol>) {
      asio::local::connect_pair(first, second);
    } else {
      asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
      first.connect(acceptor.local_endpoint());
      acceptor.accept(second);
    }
  }

  socket first;
  socket second;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_FRAMING_HPP
