// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_LISTENER_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_LISTENER_HPP

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/basic_socket_acceptor.hpp>
#include <asio/error.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/socket_base.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <optional>
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

inline asio::ip::tcp::endpoint ip_endpoint(const any_endpoint& endpoint) {
  asio::ip::tcp::endpoint result;
  std::memcpy(result.data(), endpoint.data(), endpoint.size());
  result.resize(endpoint.size());
  return result;
}

/// The path of a Unix socket, with a '@' for the zero of those that are no files. A peer may have chosen it.
inline std::string unix_path_of(const any_endpoint& endpoint) {
  constexpr std::size_t before = offsetof(sockaddr_un, sun_path);
  if (endpoint.size() <= before) return "";
  const std::string path(reinterpret_cast<const char*>(endpoint.data()) + before, endpoint.size() - before);
  return path[0] == '\0' ? '@' + path.substr(1) : path.substr(0, path.find('\0'));
}

/// As people write it: "127.0.0.1:80", "[::1]:80", "unix:/run/socket".
inline std::string text_of(const any_endpoint& endpoint) {
  if (endpoint.protocol().family() == AF_UNIX) return "unix:" + unix_path_of(endpoint);
  std::ostringstream out;
  out << ip_endpoint(endpoint);
  return out.str();
}

/// Give an IP address the port of another.
inline void set_port(any_endpoint& endpoint, const any_endpoint& other) {
  auto result = ip_endpoint(endpoint);
  result.port(ip_endpoint(other).port());
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

/// What the name of a Unix socket refers to, if to a socket.
inline std::optional<struct stat> socket_file(const std::string& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return std::nullopt;
  return found;
}

/// The name of a Unix socket that listens: removed with this, unless it is another's by then.
/**
 * To be destroyed while the socket is open, so that no other can have got the same inode.
 */
class socket_name {
 public:
  explicit socket_name(std::string path) : path_(std::move(path)), ours_(socket_file(path_)) {}
  socket_name(const socket_name&) = delete;
  socket_name& operator=(const socket_name&) = delete;

  ~socket_name() {
    const auto found = socket_file(path_);
    if (found && ours_ && found->st_dev == ours_->st_dev && found->st_ino == ours_->st_ino) ::unlink(path_.c_str());
  }

 private:
  const std::string path_;
  const std::optional<struct stat> ours_;
};

/// Whether a Unix socket is there that nobody listens on.
inline bool is_abandoned(const any_endpoint& where) {
  if (!socket_file(unix_path_of(where))) return false;
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
    ::unlink(unix_path_of(where).c_str());
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

/// Allow this process so many connections, as far as the system does: the limit is often lower than need be.
inline void allow_descriptors(std::size_t connections) {
  constexpr std::size_t others = 64;
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= connections + others) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, connections + others);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Accept until the acceptor is closed, one connection after the other.
/**
 * Out of descriptors, it says so and tries again ten times a second. A connection that its peer has given up by the
 * time it is accepted is passed over, by Asio; one that there is no memory for is dropped, and said.
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
      try {
        co_await accept(std::move(socket));
      } catch (const std::exception& failure) {
        complaint.write(std::string("accept: ") + failure.what());
      }
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
