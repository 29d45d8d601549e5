// expect: frame_writer<Stream, Prefix> takes a prefix, such as length_prefix<std::uint32_t>

// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/ip/tcp.hpp>
#include <cstdint>

#include "async_resource/framing.hpp"

void write(asio::ip::tcp::socket& socket) {
  asyncres::framing::frame_writer<asio::ip::tcp::socket, std::uint32_t> writer(socket);
}
