// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_SERVERS_SOCKETS_HPP
#define ASYNC_RESOURCE_BENCHMARKS_SERVERS_SOCKETS_HPP

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

// The system's sockets and epoll, with destructors and exceptions.

namespace benchmarks {

// The result of a system call, or its error thrown.
template <class Result>
Result checked(Result result, const std::string& what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

// Whether a call on a non-blocking descriptor is worth another try later.
inline bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

class descriptor {
 public:
  descriptor(int number, const std::string& what) : number_(checked(number, what)) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int get() const { return number_; }

 private:
  int number_;
};

// Where a server listens: a path, if there is one, else a host and a port.
struct address {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string path;
};

inline std::string to_string(const address& where) {
  if (!where.path.empty()) return where.path;
  const bool v6 = where.host.find(':') != std::string::npos;
  return (v6 ? '[' + where.host + ']' : where.host) + ':' + std::to_string(where.port);
}

// An address in the system's form, and the kind of socket it is for.
struct endpoint {
  int family;
  socklen_t size;
  sockaddr_storage storage{};

  endpoint(int kind, const void* data, std::size_t length) : family(kind), size(static_cast<socklen_t>(length)) {
    std::memcpy(&storage, data, length);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline endpoint resolve(const address& where) {
  if (!where.path.empty()) {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    if (where.path.size() >= sizeof local.sun_path) throw std::length_error(where.path + ": too long for a socket");
    where.path.copy(local.sun_path, sizeof local.sun_path - 1);
    return {AF_UNIX, &local, sizeof local};
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &list))
    throw std::runtime_error(where.host + ": " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  return {list->ai_family, list->ai_addr, list->ai_addrlen};
}

inline void set_no_delay(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // Of no meaning to Unix sockets, hence unchecked.
}

// A non-blocking connection.
inline descriptor connect(const address& where, int seconds) {
  const endpoint peer = resolve(where);
  descriptor result(::socket(peer.family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const timeval limit{seconds, 0};
  checked(::setsockopt(result.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), "SO_SNDTIMEO");
  if (::connect(result.get(), peer.get(), peer.size) != 0) {
    const int error = errno == EINPROGRESS ? ETIMEDOUT : errno;
    throw std::system_error(error, std::generic_category(), "cannot connect to " + to_string(where));
  }
  set_no_delay(result.get());
  checked(::fcntl(result.get(), F_SETFL, O_NONBLOCK), "O_NONBLOCK");
  return result;
}

class epoll {
 public:
  void add(int socket, void* data) { control(EPOLL_CTL_ADD, socket, EPOLLIN, data); }
  void change(int socket, std::uint32_t events, void* data) { control(EPOLL_CTL_MOD, socket, events, data); }

  // How many events there are; none when the time is over.
  template <std::size_t N>
  std::size_t wait(epoll_event (&events)[N], int milliseconds) {
    for (;;) {
      const int count = ::epoll_wait(descriptor_.get(), events, N, milliseconds);
      if (count >= 0 || errno != EINTR) return static_cast<std::size_t>(checked(count, "epoll_wait"));
    }
  }

 private:
  void control(int operation, int socket, std::uint32_t events, void* data) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = data;
    checked(::epoll_ctl(descriptor_.get(), operation, socket, &event), "epoll_ctl");
  }

  descriptor descriptor_{::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"};
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_SERVERS_SOCKETS_HPP
