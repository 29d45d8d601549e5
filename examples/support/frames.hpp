// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_FRAMES_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_FRAMES_HPP

#include <array>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

// Frames as the article's servers read and write them: the length in two bytes, most significant first, then the
// payload. `asyncres::framing` has this for every stream, prefix and token.

namespace example {

inline asio::awaitable<void> read_frame(asio::ip::tcp::socket& socket, std::string& payload, std::size_t limit) {
  std::array<unsigned char, 2> prefix;
  co_await asio::async_read(socket, asio::buffer(prefix), asio::use_awaitable);
  const std::size_t size = prefix[0] * 256u + prefix[1];
  if (size > limit) throw std::length_error("the request is too large");
  payload.resize(size);
  co_await asio::async_read(socket, asio::buffer(payload), asio::use_awaitable);
}

inline asio::awaitable<void> write_frame(asio::ip::tcp::socket& socket, const std::string& payload, std::size_t limit) {
  const std::size_t size = payload.size();
  if (size > limit || size > std::numeric_limits<std::uint16_t>::max())
    throw std::length_error("the reply is too large");
  const std::array<unsigned char, 2> prefix{static_cast<unsigned char>(size / 256),
                                            static_cast<unsigned char>(size % 256)};
  const std::array<asio::const_buffer, 2> frame{asio::buffer(prefix), asio::buffer(payload)};
  co_await asio::async_write(socket, frame, asio::use_awaitable);
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_FRAMES_HPP
