// expect: async_write_frame writes to an AsyncWriteStream

// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/ip/udp.hpp>
#include <string>

#include "async_resource/framing.hpp"

void write(asio::ip::udp::socket& socket, const std::string& payload) {
  asyncres::framing::async_write_frame(socket, asio::buffer(payload), [](std::error_code, std::size_t) {});
}
