// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <async_resource/double_dispatch.hpp>
#include <async_resource/framing/length_prefix.hpp>
#include <async_resource/options.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "health.hpp"
#include "io_thread.hpp"
#include "listener.hpp"
#include "options.hpp"
#include "probe.hpp"
#include "statistics.hpp"
#include "stream.hpp"

namespace example {

/// A server of framed requests: an io_context for each I/O thread, and a coroutine for each connection.
/**
 * A connection stays on its I/O thread, hence needs neither lock nor strand. The thread that calls run() accepts, for
 * each I/O thread in turn; where one is enough and nobody asks for its health, it is that one too: a process without
 * any other thread pays less for each system call.
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
      : settings_(settings), acceptors_(listen(control_, addresses(), settings_.reuse_port)) {
    if (!settings_.unix_path.empty()) name_.emplace(settings_.unix_path);
    if (!settings_.health_port.empty()) {
      const auto& host = settings_.health_host.empty() ? settings_.host : settings_.health_host;
      health_ = listen(control_, resolve(host, settings_.health_port), false);
    }
    allow_descriptors(settings_.max_connections);
  }

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  asio::io_context::executor_type get_executor() noexcept { return control_.get_executor(); }

  /// The first of its I/O threads, for what is quick enough to run there.
  asio::io_context::executor_type io_executor() noexcept { return threads_.front().context().get_executor(); }

  /// Have the statistics tell of a resource as well, which must last as long as run().
  void observe(std::function<asyncres::resource_stats()> resource) { resource_ = std::move(resource); }

  /// Have SIGINT and SIGTERM call stop(), and let whoever reads what the server writes go.
  void stop_on_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    for (const int signal : {SIGINT, SIGTERM}) signals_.add(signal);
    wait_for_signal();
  }

  /// Say where it listens, and serve until stopped. `session(connection)` is a coroutine.
  template <class Prefix = asyncres::framing::length_prefix<>, class Session>
  void run(Session session) {
    start_ = [this, &session](io_thread& thread, plain_stream socket) {
      this->start<Prefix>(session, thread, std::move(socket));
    };
    run();
  }

  /// May be called from any thread.
  void stop() {
    asio::post(control_, [this] { state_ == state::serving ? retire() : drop(); });
  }

 private:
  enum class state { serving, lame_duck, draining };

  std::vector<any_endpoint> addresses() const {
    if (settings_.unix_path.empty()) return resolve(settings_.host, std::to_string(settings_.port));
    return {asio::local::stream_protocol::endpoint(settings_.unix_path)};
  }

  template <class Prefix, class Session>
  void start(Session& session, io_thread& thread, plain_stream socket) {
#ifdef ASYNC_RESOURCE_EXAMPLES_TLS
    if (tls_) return thread.start<tls_stream, Prefix>(session, std::move(socket), *tls_);
#endif
    thread.start<plain_stream, Prefix>(session, std::move(socket));
  }

  void run() {
    for (auto& acceptor : acceptors_) open(acceptor);
    for (auto& acceptor : health_) open_health(acceptor);
    if (settings_.stats > seconds(0)) asio::co_spawn(control_, write_statistics(), asio::detached);
    if (apart_)
      run_apart();
    else
      threads_.front().run();
    signals_.clear();
    summarise();
  }

  void run_apart() {
    running_ = threads_.size();
    std::vector<std::jthread> joined;
    for (auto& thread : threads_) joined.emplace_back([this, &thread] { run(thread); });
    control_.run();
  }

  void run(io_thread& thread) {
    thread.run();
    asio::post(control_, [this] {
      if (--running_ == 0) control_.stop();
    });
  }

  bool one_thread_is_enough() const noexcept {
    return settings_.threads == 1 && !settings_.accepts_apart && settings_.health_port.empty();
  }

  static std::deque<io_thread> make_threads(const options& settings) {
    std::deque<io_thread> result;
    for (std::size_t i = 0; i != settings.threads; ++i) result.emplace_back(settings);
    return result;
  }

  void open(any_acceptor& acceptor) {
    for (auto& thread : threads_) {
      const auto admit = [this, &thread](plain_stream socket) { return this->admit(thread, std::move(socket)); };
      asio::co_spawn(control_, accept_all(acceptor, thread.context(), no_descriptor_, admit), asio::detached);
    }
    std::cout << "listening on " << text_of(acceptor.local_endpoint()) << std::endl;
  }

  void open_health(any_acceptor& acceptor) {
    const auto look = [this] {
      return health{state_ == state::serving, json(statistics(), state_ == state::serving ? "serving" : "draining")};
    };
    asio::co_spawn(control_, answer_health(control_, acceptor, no_descriptor_, look), asio::detached);
    std::cout << "health on " << text_of(acceptor.local_endpoint()) << std::endl;
  }

  std::uint64_t open_connections() const {
    std::uint64_t result = accepted_;
    for (const auto& thread : threads_) result -= thread.totals().ended.value();
    return result;
  }

  // Ends when the I/O thread has taken it: no more are accepted for it than it can take.
  asio::awaitable<void> admit(io_thread& thread, plain_stream socket) {
    if (open_connections() >= settings_.max_connections) co_return refuse(socket);
    ++accepted_;
    if (!apart_) co_return start_(thread, std::move(socket));
    bool taken = false;
    auto start = [&] {
      taken = true;
      start_(thread, std::move(socket));
    };
    try {
      co_await asyncres::double_dispatch(thread.context().get_executor(), std::move(start), asio::use_awaitable);
    } catch (...) {
      if (!taken) --accepted_;
      throw;
    }
  }

  // It is closed when the caller drops it.
  void refuse(const plain_stream& socket) {
    ++refused_;
    if (settings_.log) {
      write_line("event=refused peer=" + logfmt_value(peer_of(socket)));
    } else {
      crowded_.write("accept: " + std::to_string(settings_.max_connections) +
                     " connections are open, more are refused");
    }
  }

  // As a timer takes it.
  static asio::steady_timer::duration in_full(seconds time) {
    return std::chrono::duration_cast<asio::steady_timer::duration>(time);
  }

  void retire() {
    state_ = state::lame_duck;
    timer_.expires_after(in_full(settings_.lame_duck));
    timer_.async_wait([this](std::error_code error) {
      if (!error) asio::co_spawn(control_, drain(), asio::detached);
    });
  }

  asio::awaitable<void> drain() {
    state_ = state::draining;
    if (settings_.drain_timeout > seconds(0)) {
      timer_.expires_after(in_full(settings_.drain_timeout));
      timer_.async_wait([this](std::error_code error) {
        if (!error) drop();
      });
    }
    name_.reset();
    auto& thread = threads_.front();
    for (auto& acceptor : acceptors_) {
      for (auto& socket : close(acceptor, thread.context())) co_await admit(thread, std::move(socket));
    }
    // Behind what has been accepted already.
    co_await asio::post(control_, asio::use_awaitable);
    for (auto& each : threads_) each.drain();
  }

  void drop() {
    write_line("stop: connections that are still busy are dropped");
    for (auto& thread : threads_) thread.stop();
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
      for (const auto& thread : threads_) result += (thread.totals().*which).value();
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
      timer.expires_after(in_full(settings_.stats));
      co_await timer.async_wait(asio::use_awaitable);
      write_line("event=stats" + logfmt(statistics()));
    }
  }

  // A line a thread: among the readings of all, those of one that blocks would be few.
  void summarise() const {
    for (std::size_t i = 0; i != threads_.size(); ++i) {
      if (threads_[i].late().readings() == 0) continue;
      std::cout << "I/O thread " << i + 1 << ": ";
      write_summary(std::cout, threads_[i].late());
    }
  }

  const options settings_;
  std::deque<io_thread> threads_ = make_threads(settings_);
#ifdef ASYNC_RESOURCE_EXAMPLES_TLS
  const std::unique_ptr<asio::ssl::context> tls_ = make_tls(settings_);
#endif
  std::optional<asio::io_context> apart_;
  asio::io_context& control_ = one_thread_is_enough() ? threads_.front().context() : apart_.emplace(1);
  std::vector<any_acceptor> acceptors_, health_;
  std::optional<socket_name> name_;
  asio::signal_set signals_{control_};
  asio::steady_timer timer_{control_};
  std::function<void(io_thread&, plain_stream)> start_;
  std::function<asyncres::resource_stats()> resource_;
  state state_ = state::serving;
  std::size_t running_ = 0;
  std::uint64_t accepted_ = 0, refused_ = 0;
  rarely crowded_, no_descriptor_;
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP
