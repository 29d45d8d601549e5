// expect: give a prefix, such as length_prefix<std::uint32_t>, not an integer type

// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

#include "async_resource/framing.hpp"

void read(asio::ip::tcp::socket& socket, std::string& payload) {
  asyncres::framing::async_read_frame<std::uint32_t>(socket, payload, [](std::error_code, std::size_t) {});
}
