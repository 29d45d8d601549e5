// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <list>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "options.hpp"
#include "probe.hpp"

namespace example {

using asio::ip::tcp;

/// A TCP server with an io_context for each I/O thread, and a coroutine for each connection.
/**
 * A connection stays on its I/O thread, hence needs neither lock nor strand. The thread that calls run() accepts, and
 * hands the connections out in turn.
 *
 * stop() ends it: no more is accepted or read, requests received by then are answered, and run() returns. What is not
 * done five seconds later, or when stop() is called once more, is dropped.
 */
class server {
 public:
  using session = std::function<asio::awaitable<void>(tcp::socket&)>;

  /// Listen. Throws std::system_error.
  explicit server(const options& settings)
      : threads_(settings.threads), acceptor_(control_, resolve(settings)), probe_(settings.probe) {}

  asio::io_context::executor_type get_executor() noexcept { return control_.get_executor(); }

  /// Have SIGINT and SIGTERM call stop().
  void stop_on_signals() {
    for (const int signal : {SIGINT, SIGTERM}) signals_.add(signal);
    wait_for_signal();
  }

  /// Say where it listens, and serve until stopped. What a session throws ends its connection.
  void run(session serve) {
    session_ = std::move(serve);
    running_ = threads_.size();
    std::vector<std::jthread> joined;
    for (auto& thread : threads_) joined.emplace_back([this, &thread] { run(thread); });
    asio::co_spawn(control_, accept(), asio::detached);
    std::cout << "listening on " << acceptor_.local_endpoint() << std::endl;
    control_.run();
    joined.clear();
    signals_.clear();
    summarise();
  }

  /// May be called from any thread.
  void stop() {
    asio::post(control_, [this] { acceptor_.is_open() ? finish() : drop(); });
  }

 private:
  struct io_thread {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    std::list<tcp::socket> connections;
    lateness late;
    bool stopping = false;
  };

  static tcp::endpoint resolve(const options& settings) {
    asio::io_context context;
    return *tcp::resolver(context)
                .resolve(settings.host, std::to_string(settings.port), tcp::resolver::passive)
                .begin();
  }

  static void report(std::string_view where, std::string_view what) {
    std::fputs((std::string(where) + ": " + std::string(what) + '\n').c_str(), stderr);
  }

  static void report(std::string_view where, std::exception_ptr failure) {
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (const std::system_error& error) {
      if (error.code() != asio::error::eof) report(where, error.code().message());
    } catch (const std::exception& error) {
      report(where, error.what());
    }
  }

  void run(io_thread& thread) {
    if (probe_) asio::co_spawn(thread.context, probe(thread.stopping, thread.late), asio::detached);
    thread.context.run();
    asio::post(control_, [this] {
      if (--running_ == 0) control_.stop();
    });
  }

  asio::awaitable<void> accept() {
    for (std::size_t next = 0;; next = (next + 1) % threads_.size()) {
      auto [error, socket] =
          co_await acceptor_.async_accept(threads_[next].context, asio::as_tuple(asio::use_awaitable));
      if (!acceptor_.is_open()) co_return;
      if (!error) {
        start(threads_[next], std::move(socket));
      } else {
        // Out of descriptors, most likely: one of them will be closed.
        report("accept", error.message());
        timer_.expires_after(std::chrono::milliseconds(100));
        co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
      }
    }
  }

  void start(io_thread& thread, tcp::socket accepted) {
    asio::post(thread.context, [this, &thread, socket = std::move(accepted)]() mutable {
      if (thread.stopping) return;
      std::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::ostringstream peer;
      peer << socket.remote_endpoint(ignored);
      const auto connection = thread.connections.insert(thread.connections.end(), std::move(socket));
      asio::co_spawn(thread.context, session_(*connection),
                     [&thread, connection, where = peer.str()](std::exception_ptr failure) {
                       report(where, failure);
                       thread.connections.erase(connection);
                     });
    });
  }

  // A socket that is shut down for receiving gives what has arrived, and then the end of the stream.
  void finish() {
    acceptor_.close();
    for (auto& thread : threads_) {
      asio::post(thread.context, [&thread] {
        thread.stopping = true;
        thread.work.reset();
        std::error_code ignored;
        for (auto& socket : thread.connections) socket.shutdown(tcp::socket::shutdown_receive, ignored);
      });
    }
    timer_.expires_after(std::chrono::seconds(5));
    timer_.async_wait([this](std::error_code error) {
      if (!error) drop();
    });
  }

  void drop() {
    report("stop", "connections that are still busy are dropped");
    for (auto& thread : threads_) thread.context.stop();
  }

  void wait_for_signal() {
    signals_.async_wait([this](std::error_code error, int) {
      if (error) return;
      stop();
      wait_for_signal();
    });
  }

  // A line a thread: among the readings of all, those of one that blocks would be few.
  void summarise() const {
    for (std::size_t i = 0; i != threads_.size(); ++i) {
      if (threads_[i].late.empty()) continue;
      std::cout << "I/O thread " << i + 1 << ": ";
      write_summary(std::cout, threads_[i].late);
    }
  }

  std::vector<io_thread> threads_;
  asio::io_context control_{1};
  tcp::acceptor acceptor_;
  asio::signal_set signals_{control_};
  asio::steady_timer timer_{control_};
  session session_;
  std::size_t running_ = 0;
  bool probe_;
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_SERVER_HPP
