// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A TCP proxy that does what networks do: what it passes on is split, merged and held back, and connections are cut,
// all of it by a seed. Before it cuts a connection it says so on the standard output, "cut" and the client's port:
//
//   fault_proxy --target 8888 --seed 1

#include <algorithm>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/address_v4.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <limits>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "../../examples/support/command_line.hpp"

namespace {

using asio::ip::tcp;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

struct settings {
  std::uint16_t port = 0;
  std::uint16_t target = 8888;
  std::uint64_t seed = 1;
};

// What happens to one direction of a connection.
class fate {
 public:
  fate(std::uint64_t seed, std::uint64_t connection, std::uint64_t direction) {
    std::seed_seq sequence{seed, connection, direction};
    random_.seed(sequence);
    if (happens(0.05)) cut_after_ = about(1'000'000);
    splits_ = happens(0.3);
  }

  // How many of these bytes go together.
  std::size_t piece(std::size_t size) { return splits_ ? std::min(size, about(65'536)) : size; }

  // While there is one, what arrives is merged.
  std::chrono::milliseconds pause() { return std::chrono::milliseconds(happens(0.03) ? about(50) : 0); }

  // Of so many bytes, how many are passed on before the cut.
  std::size_t before_cut(std::size_t size) const { return std::min(size, cut_after_); }

  // Returns whether that was the last.
  bool passed(std::size_t size) { return (cut_after_ -= size) == 0; }

  bool happens(double probability) { return std::bernoulli_distribution(probability)(random_); }

 private:
  // From 1 to the limit, each order of magnitude as often.
  std::size_t about(double limit) {
    return static_cast<std::size_t>(std::exp(std::uniform_real_distribution(0.0, std::log(limit))(random_)));
  }

  std::mt19937_64 random_;
  std::size_t cut_after_ = std::numeric_limits<std::size_t>::max();
  bool splits_ = false;
};

// With a RST, pending data is lost.
void close(tcp::socket& socket, bool reset) {
  std::error_code ignored;
  if (reset) socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

class link {
 public:
  link(tcp::socket client, std::uint64_t seed, std::uint64_t number)
      : client_(std::move(client)), server_(client_.get_executor()), up_(seed, number, 0), down_(seed, number, 1) {}

  asio::awaitable<void> run(std::uint16_t target) {
    using namespace asio::experimental::awaitable_operators;
    const auto [error] = co_await server_.async_connect({asio::ip::address_v4::loopback(), target}, as_result);
    std::error_code ignored;
    port_ = client_.remote_endpoint(ignored).port();
    client_.set_option(tcp::no_delay(true), ignored);
    server_.set_option(tcp::no_delay(true), ignored);
    if (!error) co_await (pump(client_, server_, up_) && pump(server_, client_, down_));
  }

 private:
  asio::awaitable<void> pump(tcp::socket& from, tcp::socket& to, fate& fate) {
    std::vector<char> buffer(65'536);
    for (;;) {
      co_await wait(fate.pause());
      const auto [error, size] = co_await from.async_read_some(asio::buffer(buffer), as_result);
      if (error) co_return end(error, to);
      if (!co_await pass_on(asio::buffer(buffer, size), to, fate)) co_return;
    }
  }

  asio::awaitable<bool> pass_on(asio::const_buffer data, tcp::socket& to, fate& fate) {
    while (data.size() != 0) {
      const auto piece = asio::buffer(data, fate.before_cut(fate.piece(data.size())));
      const auto [error, size] = co_await asio::async_write(to, piece, as_result);
      if (error) {
        close_both(true);
        co_return false;
      }
      if (fate.passed(size)) {
        cut(fate.happens(0.5));
        co_return false;
      }
      data += size;
      if (data.size() != 0) co_await wait(fate.pause());
    }
    co_return true;
  }

  asio::awaitable<void> wait(std::chrono::milliseconds time) {
    if (time.count() == 0) co_return;
    asio::steady_timer timer(client_.get_executor(), time);
    co_await timer.async_wait(as_result);
  }

  // One side has ended; the other learns it in the same way.
  void end(std::error_code error, tcp::socket& to) {
    std::error_code ignored;
    error == asio::error::eof ? void(to.shutdown(tcp::socket::shutdown_send, ignored)) : close_both(true);
  }

  void cut(bool reset) {
    if (!client_.is_open()) return;
    std::cout << "cut " << port_ << std::endl;
    close_both(reset);
  }

  void close_both(bool reset) {
    close(client_, reset);
    close(server_, reset);
  }

  tcp::socket client_, server_;
  fate up_, down_;
  std::uint16_t port_ = 0;
};

asio::awaitable<void> relay(tcp::socket client, const settings& settings, std::uint64_t number) {
  link it(std::move(client), settings.seed, number);
  co_await it.run(settings.target);
}

asio::awaitable<void> accept(tcp::acceptor& acceptor, const settings& settings) {
  for (std::uint64_t number = 0;; ++number) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), relay(std::move(socket), settings, number), asio::detached);
  }
}

settings read_settings(int argc, char** argv) {
  settings result;
  example::read_command_line(
      argc, argv, "A TCP proxy on loopback that splits, merges, holds back and cuts.",
      {example::number_option<std::uint16_t>("port", "PORT", "the port to listen on; 0 picks a free one (0)",
                                             result.port, 0),
       example::number_option<std::uint16_t>("target", "PORT", "the server's (8888)", result.target, 1),
       example::number_option<std::uint64_t>("seed", "NUMBER", "decides what is done to which connection (1)",
                                             result.seed, 0)});
  return result;
}

void serve(const settings& settings) {
  asio::io_context context{1};
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code, int) { context.stop(); });
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), settings.port});
  asio::co_spawn(context, accept(acceptor, settings), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
  context.run();
}

}  // namespace

int main(int argc, char** argv) try { serve(read_settings(argc, argv)); } catch (const std::exception& error) {
  std::cerr << "fault_proxy: " << error.what() << '\n';
  return 1;
}
