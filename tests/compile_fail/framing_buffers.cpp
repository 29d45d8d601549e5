// expect: wrap the payload in asio::buffer

// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/ip/tcp.hpp>
#include <string>

#include "async_resource/framing.hpp"

void write(asio::ip::tcp::socket& socket, const std::string& payload) {
  asyncres::framing::async_write_frame(socket, payload, [](std::error_code, std::size_t) {});
}
