// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// The echo server to compare with: a level-triggered epoll loop on one thread, and nothing else. What is there is read
// into the connection's buffer, and the whole frames in it go back in one write.
//
//   epoll_echo --port 8888

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <memory>
#include <unordered_map>

#include "sockets.hpp"

namespace {

using namespace benchmarks;

constexpr std::size_t prefix_size = 2;

class connection {
 public:
  explicit connection(descriptor socket) : socket_(std::move(socket)) {}

  int number() const { return socket_.get(); }
  bool wants_to_write() const { return written_ != whole_; }

  // Both return false when the connection is over.
  bool read() {
    const auto n = ::recv(number(), data_ + size_, sizeof data_ - size_, 0);
    if (n < 0 && would_block()) return true;
    if (n <= 0) return false;
    size_ += static_cast<std::size_t>(n);
    find_whole_frames();
    return write();
  }

  bool write() {
    if (!wants_to_write()) return true;
    const auto n = ::send(number(), data_ + written_, whole_ - written_, MSG_NOSIGNAL);
    if (n < 0) return would_block();
    written_ += static_cast<std::size_t>(n);
    if (!wants_to_write()) drop_whole_frames();
    return true;
  }

 private:
  void find_whole_frames() {
    while (size_ - whole_ >= prefix_size) {
      const std::size_t frame = prefix_size + data_[whole_] * 256u + data_[whole_ + 1];
      if (size_ - whole_ < frame) break;
      whole_ += frame;
    }
  }

  void drop_whole_frames() {
    std::memmove(data_, data_ + whole_, size_ - whole_);
    size_ -= whole_;
    whole_ = written_ = 0;
  }

  descriptor socket_;
  std::size_t size_ = 0;                      // received
  std::size_t whole_ = 0;                     // of these, in whole frames
  std::size_t written_ = 0;                   // of these, sent back
  unsigned char data_[prefix_size + 65'535];  // the largest frame, or many small ones
};

class server {
 public:
  explicit server(const address& where) : listener_(listen(where)) { epoll_.add(listener_.get(), nullptr); }

  [[noreturn]] void run() {
    for (epoll_event events[256];;) {
      for (std::size_t i = 0, count = epoll_.wait(events, -1); i != count; ++i) {
        if (events[i].data.ptr) {
          serve(*static_cast<connection*>(events[i].data.ptr), events[i].events);
        } else {
          accept();
        }
      }
    }
  }

  int listener() const { return listener_.get(); }

 private:
  static descriptor listen(const address& where) {
    const endpoint local = resolve(where);
    descriptor result(::socket(local.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    checked(::setsockopt(result.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    checked(::bind(result.get(), local.get(), local.size), "cannot listen on " + to_string(where));
    checked(::listen(result.get(), SOMAXCONN), "listen");
    return result;
  }

  void accept() {
    const int number = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (number < 0 && (would_block() || errno == ECONNABORTED)) return;
    descriptor socket(number, "accept");
    set_no_delay(number);
    auto& made = connections_[number] = std::make_unique<connection>(std::move(socket));
    epoll_.add(number, made.get());
  }

  // Reads nothing more while the peer does not read.
  void serve(connection& each, std::uint32_t events) {
    const bool wanted_to_write = each.wants_to_write();
    if (!(events & EPOLLOUT ? each.write() : each.read())) {
      connections_.erase(each.number());
    } else if (each.wants_to_write() != wanted_to_write) {
      epoll_.change(each.number(), wanted_to_write ? EPOLLIN : EPOLLOUT, &each);
    }
  }

  descriptor listener_;
  epoll epoll_;
  std::unordered_map<int, std::unique_ptr<connection>> connections_;
};

std::uint16_t port_of(int listener) {
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  checked(::getsockname(listener, reinterpret_cast<sockaddr*>(&local), &size), "getsockname");
  return ntohs(reinterpret_cast<const sockaddr_in&>(local).sin_port);  // Where IPv6 has it, too.
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Echoes frames of a two-byte length, most significant first, and a payload: epoll on one thread.");
  address where;
  app.add_option("--host", where.host, "The address to listen on, IPv4 or IPv6")->capture_default_str();
  app.add_option("--port", where.port, "The port to listen on; 0 picks a free one")->capture_default_str();
  app.add_option("--unix", where.path, "Listen on a Unix socket, made there, instead");
  CLI11_PARSE(app, argc, argv);
  try {
    server echo(where);
    if (where.path.empty()) where.port = port_of(echo.listener());
    std::cout << "listening on " << to_string(where) << std::endl;
    echo.run();
  } catch (const std::exception& error) {
    std::cerr << "epoll_echo: " << error.what() << '\n';
    return 1;
  }
}
