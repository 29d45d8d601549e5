// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_FRAMES_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_FRAMES_HPP

#include <array>
#include <asio/buffer.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include "roster.hpp"
#include "stream.hpp"

// Frames as the article's servers read and write them: the length in two bytes, most significant first, then the
// payload. `asyncres::framing` has this for every stream, prefix and token.

namespace example {

template <class Peer>
awaitable<void> read_frame(Peer& peer, std::string& payload, std::size_t limit) {
  std::array<unsigned char, 2> prefix;
  peer.enter(phase::idle);
  const std::size_t begun = co_await peer.stream().async_read_some(asio::buffer(prefix), use_awaitable);
  peer.enter(phase::rest_of_frame);
  if (begun != prefix.size()) co_await asio::async_read(peer.stream(), asio::buffer(prefix) + begun, use_awaitable);
  const std::size_t size = prefix[0] * 256u + prefix[1];
  if (size > limit) throw std::length_error("the request is too large");
  payload.resize(size);
  co_await asio::async_read(peer.stream(), asio::buffer(payload), use_awaitable);
  peer.took(1, prefix.size() + size);
}

template <class Peer>
awaitable<void> write_frame(Peer& peer, const std::string& payload, std::size_t limit) {
  const std::size_t size = payload.size();
  if (size > limit || size > std::numeric_limits<std::uint16_t>::max())
    throw std::length_error("the reply is too large");
  const std::array<unsigned char, 2> prefix{static_cast<unsigned char>(size / 256),
                                            static_cast<unsigned char>(size % 256)};
  const std::array<asio::const_buffer, 2> frame{asio::buffer(prefix), asio::buffer(payload)};
  peer.enter(phase::peer_to_read);
  peer.gave(co_await asio::async_write(peer.stream(), frame, use_awaitable));
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_FRAMES_HPP
