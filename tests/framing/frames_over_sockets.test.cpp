// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Readers and writers of frames at both ends of a connection, over TCP and Unix sockets.

#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <catch2/catch_template_test_macros.hpp>

#include "support/contexts.hpp"
#include "support/echo.hpp"
#include "support/framing.hpp"

namespace {

template <class Protocol>
struct connection {
  using socket = typename Protocol::socket;

  explicit connection(auto& context) : sockets(context) {}

  asio::awaitable<void> open(socket&) { co_return; }
  asio::awaitable<void> close(socket& end) {
    end.shutdown(socket::shutdown_send);
    co_return;
  }

  testing::socket_pair<Protocol> sockets;
  socket& client = sockets.first;
  socket& server = sockets.second;
};

using tcp = connection<asio::ip::tcp>;
using local = connection<asio::local::stream_protocol>;

}  // namespace

TEMPLATE_TEST_CASE("over TCP, pipelined frames come back in order, then the end", "[framing][sockets]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  testing::check_echo<tcp, TestType>();
}

TEMPLATE_TEST_CASE("over a Unix socket, pipelined frames come back in order, then the end", "[framing][sockets]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  testing::check_echo<local, TestType>();
}

TEMPLATE_TEST_CASE("while a client does not read its replies, the server does not read on", "[framing][sockets]", tcp,
                   local) {
  testing::check_back_pressure<TestType>();
}
