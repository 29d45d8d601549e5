// expect: pass a std::vector of char, unsigned char or std::byte

// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <array>
#include <asio/ip/tcp.hpp>

#include "async_resource/framing.hpp"

void read(asio::ip::tcp::socket& socket, std::array<char, 512>& payload) {
  asyncres::framing::async_read_frame(socket, payload, [](std::error_code, std::size_t) {});
}
