// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_LISTENER_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_LISTENER_HPP

#include <sys/socket.h>
#include <unistd.h>

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/basic_socket_acceptor.hpp>
#include <asio/error.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/socket_base.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "statistics.hpp"
#include "stream.hpp"

namespace example {

using any_endpoint = asio::generic::stream_protocol::endpoint;
using any_acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

/// Copy an address into the type of its family.
template <class Endpoint>
Endpoint endpoint_as(const any_endpoint& endpoint) {
  Endpoint result;
  std::memcpy(result.data(), endpoint.data(), endpoint.size());
  result.resize(endpoint.size());
  return result;
}

/// As people write it: "127.0.0.1:80", "[::1]:80", "unix:/run/socket".
inline std::string text_of(const any_endpoint& endpoint) {
  if (endpoint.protocol().family() == AF_UNIX) {
    return "unix:" + endpoint_as<asio::local::stream_protocol::endpoint>(endpoint).path();
  }
  std::ostringstream out;
  out << endpoint_as<asio::ip::tcp::endpoint>(endpoint);
  return out.str();
}

/// Give an IP address the port of another.
inline void set_port(any_endpoint& endpoint, const any_endpoint& other) {
  auto result = endpoint_as<asio::ip::tcp::endpoint>(endpoint);
  result.port(endpoint_as<asio::ip::tcp::endpoint>(other).port());
  endpoint = result;
}

inline std::string peer_of(const plain_stream& socket) {
  std::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? "unknown" : text_of(endpoint);
}

/// Every address that the name stands for. Throws std::system_error.
inline std::vector<any_endpoint> resolve(const std::string& host, const std::string& port) {
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  std::error_code error;
  std::vector<any_endpoint> found;
  for (const auto& each : resolver.resolve(host, port, asio::ip::tcp::resolver::passive, error)) {
    found.push_back(each.endpoint());
  }
  if (error) throw std::system_error(error, host);
  return found;
}

/// Whether a Unix socket is there that nobody listens on.
inline bool is_abandoned(const any_endpoint& where) {
  asio::io_context context;
  asio::generic::stream_protocol::socket socket(context);
  std::error_code error;
  socket.connect(where, error);
  return error == asio::error::connection_refused;
}

/// Listen. With several addresses, an IPv6 one does not take IPv4 too. Throws std::system_error.
inline any_acceptor listen(asio::io_context& context, const any_endpoint& where, bool one_of_several, bool reuse_port) {
  any_acceptor result(context, where.protocol());
  const int family = where.protocol().family();
  const int on = 1;
  if (family == AF_INET6 && one_of_several) result.set_option(asio::ip::v6_only(true));
  if (family != AF_UNIX) result.set_option(asio::socket_base::reuse_address(true));
  if (reuse_port && ::setsockopt(result.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    throw std::system_error(errno, std::system_category(), "SO_REUSEPORT");
  }
  std::error_code error;
  result.bind(where, error);
  if (family == AF_UNIX && error == asio::error::address_in_use && is_abandoned(where)) {
    ::unlink(text_of(where).substr(sizeof "unix:" - 1).c_str());
    result.bind(where, error);
  }
  if (error) throw std::system_error(error, text_of(where));
  result.listen();
  return result;
}

/// Listen on several addresses. A port that is picked for the first is that of the others too.
inline std::vector<any_acceptor> listen(asio::io_context& context, std::vector<any_endpoint> addresses,
                                        bool reuse_port) {
  std::vector<any_acceptor> result;
  for (auto& each : addresses) {
    if (!result.empty()) set_port(each, result.front().local_endpoint());
    result.push_back(listen(context, each, addresses.size() > 1, reuse_port));
  }
  return result;
}

/// Accept until the acceptor is closed, one connection after the other.
/**
 * Out of descriptors, it says so and tries again ten times a second. A connection that its peer has given up by the
 * time it is accepted is passed over, by Asio.
 *
 * @param context  Where the connections are to be served.
 * @param accept   A coroutine that takes a socket.
 */
template <class Accept>
asio::awaitable<void> accept_all(any_acceptor& from, asio::io_context& context, rarely& complaint, Accept accept) {
  asio::steady_timer timer(from.get_executor());
  for (;;) {
    auto [error, socket] = co_await from.async_accept(context, asio::as_tuple(asio::use_awaitable));
    if (!error) {
      co_await accept(std::move(socket));
      continue;
    }
    if (!from.is_open()) co_return;
    complaint.write("accept: " + error.message());
    timer.expires_after(std::chrono::milliseconds(100));
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

/// Close, and give what was in the backlog: as far as their peers know, those are connected.
inline std::vector<plain_stream> close(any_acceptor& acceptor, asio::io_context& context) {
  std::vector<plain_stream> backlog;
  std::error_code error;
  acceptor.non_blocking(true, error);
  // Passing over a connection that its peer has given up, Asio would wait for the next.
  acceptor.set_option(asio::socket_base::enable_connection_aborted(true), error);
  while (!error) {
    auto socket = acceptor.accept(context, error);
    if (!error) backlog.push_back(std::move(socket));
    if (error == asio::error::connection_aborted || error == std::errc::protocol_error) error.clear();
  }
  acceptor.close(error);
  return backlog;
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_LISTENER_HPP
