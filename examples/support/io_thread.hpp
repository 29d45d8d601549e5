// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_IO_THREAD_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_IO_THREAD_HPP

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include "connection.hpp"
#include "listener.hpp"
#include "options.hpp"
#include "probe.hpp"
#include "roster.hpp"
#include "statistics.hpp"
#include "stream.hpp"

namespace example {

/// The connections that one thread serves, and their io_context.
class io_thread {
 public:
  explicit io_thread(const options& settings) : settings_(settings) {}

  asio::io_context& context() noexcept { return context_; }
  const traffic& totals() const noexcept { return connections_.totals; }

  /// How late timers were, with options::probe. To be looked at when run() has returned.
  const lateness& late() const noexcept { return late_; }

  /// Serve until all connections have been drained, or stop() has been called.
  void run() {
    if (settings_.probe) asio::co_spawn(context_, probe(connections_.draining, late_), asio::detached);
    context_.run();
  }

  /// Begin a session. To be called on this thread; the arguments are for the stream. Counts as ended if it throws.
  template <class Stream, class Prefix, class Session, class... Args>
  void start(Session& session, plain_stream socket, Args&... args) {
    count_at_end taken(connections_.totals.ended);
    std::error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    asio::co_spawn(context_, serve<Stream, Prefix>(session, std::move(taken), std::move(socket), args...),
                   asio::detached);
  }

  /// Have run() return when the connections that there are have finished. May be called from any thread, as may stop().
  void drain() {
    asio::post(context_, [this] { sweeper_.drain([this] { stop(); }); });
  }

  void stop() { context_.stop(); }

 private:
  template <class Stream, class Prefix, class Session, class... Args>
  awaitable<void> serve(Session& session, count_at_end, plain_stream socket, Args&... args) try {
    auto peer = peer_of(socket);
    connection<Stream, Prefix> it(connections_, settings_, std::move(peer), std::move(socket), args...);
    co_await it.run(session);
  } catch (const std::exception& error) {
    connections_.complaints.write(std::string("connection: ") + error.what());
  }

  const options& settings_;
  roster connections_;
  lateness late_;
  asio::io_context context_{1};
  sweeper sweeper_{context_, connections_, settings_.patience};
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_IO_THREAD_HPP
