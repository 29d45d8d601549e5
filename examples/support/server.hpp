// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP

#include <unistd.h>

#include <algorithm>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <async_resource/framing/length_prefix.hpp>
#include <async_resource/options.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "health.hpp"
#include "listener.hpp"
#include "options.hpp"
#include "probe.hpp"
#include "roster.hpp"
#include "statistics.hpp"
#include "stream.hpp"

namespace example {

/// A server of framed requests: an io_context for each I/O thread, and a coroutine for each connection.
/**
 * A connection stays on its I/O thread, hence needs neither lock nor strand. The thread that calls run() accepts, and
 * hands the connections out in turn.
 *
 *     serving --stop()--> lame_duck --> draining --> run() returns
 *                 |           |             |
 *                 |           |             +-- stop(), or drain_timeout: the rest is dropped
 *                 |           +-- after so many seconds; the health endpoint says 404
 *                 +-- at once, without any
 *
 * Draining, no more is accepted. What had been received is answered; a connection that then is between requests is half
 * closed, and what comes later is read, but not served. Others may finish the request that they are in.
 */
class server {
 public:
  /// Listen. Throws std::system_error.
  explicit server(const options& settings)
      : settings_(settings), threads_(settings.threads), acceptors_(listen()), health_(listen_for_health()) {
    for (auto& thread : threads_) thread.sweep.emplace(thread.context, thread.connections, settings_.patience);
  }

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  ~server() {
    if (!settings_.unix_path.empty()) ::unlink(settings_.unix_path.c_str());
  }

  asio::io_context::executor_type get_executor() noexcept { return control_.get_executor(); }

  /// Have the statistics tell of a resource as well, which must last as long as run().
  void observe(std::function<asyncres::resource_stats()> resource) { resource_ = std::move(resource); }

  /// Have SIGINT and SIGTERM call stop().
  void stop_on_signals() {
    for (const int signal : {SIGINT, SIGTERM}) signals_.add(signal);
    wait_for_signal();
  }

  /// Say where it listens, and serve until stopped. `session(connection)` is a coroutine.
  template <class Prefix = asyncres::framing::length_prefix<>, class Session>
  void run(Session session) {
    start_ = [this, &session](io_thread& thread, plain_stream socket) {
#ifdef ASYNC_RESOURCE_EXAMPLES_TLS
      if (tls_) return start<Prefix, tls_stream>(thread, session, std::move(socket), *tls_);
#endif
      start<Prefix, plain_stream>(thread, session, std::move(socket));
    };
    run();
  }

  /// May be called from any thread.
  void stop() {
    asio::post(control_, [this] { state_ == state::serving ? retire() : drop(); });
  }

 private:
  enum class state { serving, lame_duck, draining };

  struct io_thread {
    roster connections;
    lateness late;
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    std::optional<sweeper> sweep;
  };

  std::vector<any_acceptor> listen() {
    std::vector<any_endpoint> addresses;
    if (settings_.unix_path.empty())
      addresses = resolve(settings_.host, std::to_string(settings_.port));
    else
      addresses.emplace_back(asio::local::stream_protocol::endpoint(settings_.unix_path));
    return listen(addresses, settings_.reuse_port);
  }

  std::vector<any_acceptor> listen_for_health() {
    if (settings_.health_port.empty()) return {};
    return listen(resolve(settings_.host, settings_.health_port), false);
  }

  // A port picked for the first address is that of the others too.
  std::vector<any_acceptor> listen(std::vector<any_endpoint> addresses, bool reuse_port) {
    std::vector<any_acceptor> result;
    for (auto& each : addresses) {
      if (!result.empty()) set_port(each, result.front().local_endpoint());
      result.push_back(example::listen(control_, each, addresses.size() > 1, reuse_port));
    }
    return result;
  }

  void run() {
    running_ = threads_.size();
    std::vector<std::jthread> joined;
    for (auto& thread : threads_) joined.emplace_back([this, &thread] { run(thread); });
    for (auto& acceptor : acceptors_) open(acceptor);
    for (auto& acceptor : health_) open_health(acceptor);
    if (settings_.stats > seconds(0)) asio::co_spawn(control_, write_statistics(), asio::detached);
    control_.run();
    joined.clear();
    signals_.clear();
    summarise();
  }

  void run(io_thread& thread) {
    if (settings_.probe) {
      asio::co_spawn(thread.context, probe(thread.connections.draining, thread.late), asio::detached);
    }
    thread.context.run();
    asio::post(control_, [this] {
      if (--running_ == 0) control_.stop();
    });
  }

  void open(any_acceptor& acceptor) {
    asio::co_spawn(control_,
                   accept_all(
                       acceptor, [this]() -> asio::io_context& { return next().context; },
                       [this](plain_stream socket) { admit(std::move(socket)); }),
                   asio::detached);
    std::cout << "listening on " << text_of(acceptor.local_endpoint()) << std::endl;
  }

  void open_health(any_acceptor& acceptor) {
    const auto look = [this] {
      return health{state_ == state::serving, json(statistics(), state_ == state::serving ? "serving" : "draining")};
    };
    asio::co_spawn(control_, answer_health(control_, acceptor, look), asio::detached);
    std::cout << "health on " << text_of(acceptor.local_endpoint()) << std::endl;
  }

  io_thread& next() {
    next_ = (next_ + 1) % threads_.size();
    return threads_[next_];
  }

  io_thread& thread_of(plain_stream& socket) {
    return *std::ranges::find(threads_, socket.get_executor(),
                              [](io_thread& thread) { return thread.context.get_executor(); });
  }

  std::uint64_t open_connections() const {
    std::uint64_t result = accepted_;
    for (const auto& thread : threads_) result -= thread.connections.totals.ended.value();
    return result;
  }

  void admit(plain_stream socket) {
    if (open_connections() >= settings_.max_connections) return refuse(socket);
    ++accepted_;
    auto& thread = thread_of(socket);
    asio::post(thread.context,
               [this, &thread, accepted = std::move(socket)]() mutable { start_(thread, std::move(accepted)); });
  }

  // It is closed when the caller drops it.
  void refuse(const plain_stream& socket) {
    ++refused_;
    if (settings_.log) {
      write_line("event=refused peer=" + peer_of(socket));
    } else {
      crowded_.write("accept: " + std::to_string(settings_.max_connections) +
                     " connections are open, more are refused");
    }
  }

  static std::string peer_of(const plain_stream& socket) {
    std::error_code error;
    const auto endpoint = socket.remote_endpoint(error);
    return error ? "unknown" : text_of(endpoint);
  }

  template <class Prefix, class Stream, class Session, class... Args>
  void start(io_thread& thread, Session& session, plain_stream socket, Args&... args) {
    std::error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    asio::co_spawn(thread.context, serve<Prefix, Stream>(thread, session, std::move(socket), args...), asio::detached);
  }

  template <class Prefix, class Stream, class Session, class... Args>
  awaitable<void> serve(io_thread& thread, Session& session, plain_stream socket, Args&... args) {
    auto peer = peer_of(socket);
    connection<Stream, Prefix> it(thread.connections, settings_, std::move(peer), std::move(socket), args...);
    co_await it.run(session);
  }

  void retire() {
    state_ = state::lame_duck;
    timer_.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(settings_.lame_duck));
    timer_.async_wait([this](std::error_code error) {
      if (!error) drain();
    });
  }

  void drain() {
    state_ = state::draining;
    for (auto& acceptor : acceptors_) close(acceptor);
    // Behind what has been accepted already.
    asio::post(control_, [this] {
      for (auto& thread : threads_) drain(thread);
    });
    timer_.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(settings_.drain_timeout));
    timer_.async_wait([this](std::error_code error) {
      if (!error) drop();
    });
  }

  static void drain(io_thread& thread) {
    asio::post(thread.context, [&thread] {
      thread.work.reset();
      thread.sweep->drain();
    });
  }

  // Those in the backlog have been connected as far as their peers know.
  void close(any_acceptor& acceptor) {
    std::error_code error;
    acceptor.non_blocking(true, error);
    while (!error) {
      auto socket = acceptor.accept(next().context, error);
      if (!error) admit(std::move(socket));
    }
    acceptor.close(error);
  }

  void drop() {
    write_line("stop: connections that are still busy are dropped");
    for (auto& thread : threads_) thread.context.stop();
  }

  void wait_for_signal() {
    signals_.async_wait([this](std::error_code error, int) {
      if (error) return;
      stop();
      wait_for_signal();
    });
  }

  report statistics() const {
    const auto sum = [this](counter traffic::*which) {
      std::uint64_t result = 0;
      for (const auto& thread : threads_) result += (thread.connections.totals.*which).value();
      return result;
    };
    report all{{"open", open_connections()},
               {"accepted", accepted_},
               {"refused", refused_},
               {"failed", sum(&traffic::failed)},
               {"timed_out", sum(&traffic::timed_out)},
               {"requests", sum(&traffic::requests)},
               {"bytes_in", sum(&traffic::bytes_in)},
               {"bytes_out", sum(&traffic::bytes_out)}};
    if (resource_) append(all, resource_());
    return all;
  }

  asio::awaitable<void> write_statistics() {
    asio::steady_timer timer(control_);
    for (;;) {
      timer.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(settings_.stats));
      co_await timer.async_wait(asio::use_awaitable);
      write_line("event=stats" + logfmt(statistics()));
    }
  }

  // A line a thread: among the readings of all, those of one that blocks would be few.
  void summarise() const {
    for (std::size_t i = 0; i != threads_.size(); ++i) {
      if (threads_[i].late.empty()) continue;
      std::cout << "I/O thread " << i + 1 << ": ";
      write_summary(std::cout, threads_[i].late);
    }
  }

  const options settings_;
  std::vector<io_thread> threads_;
#ifdef ASYNC_RESOURCE_EXAMPLES_TLS
  const std::unique_ptr<asio::ssl::context> tls_ = make_tls(settings_);
#endif
  asio::io_context control_{1};
  std::vector<any_acceptor> acceptors_, health_;
  asio::signal_set signals_{control_};
  asio::steady_timer timer_{control_};
  std::function<void(io_thread&, plain_stream)> start_;
  std::function<asyncres::resource_stats()> resource_;
  state state_ = state::serving;
  std::size_t running_ = 0;
  std::size_t next_ = 0;
  std::uint64_t accepted_ = 0, refused_ = 0;
  rarely crowded_;
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP
