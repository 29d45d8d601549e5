// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// What a server does about a resource that is too slow: give up what has waited too long, ask what runs to stop, refuse
// what is too much, and close without hanging.
//
//   giving_up

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <async_resource.hpp>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <system_error>
#include <tuple>
#include <utility>
#include <variant>

namespace {

using namespace std::chrono_literals;

// Measures for as long as nobody interrupts it.
class sensor {
 public:
  ~sensor() { std::cout << "the sensor is switched off\n"; }

  void measure() {
    std::unique_lock lock(mutex_);
    stopped_.wait(lock, [this] { return stop_; });
    stop_ = false;
    std::cout << "a measurement was interrupted\n";
  }

  //! [interrupt]
  // Found by the library, and called, in the thread that cancels, only while the cancelled operation runs.
  friend void interrupt(sensor& s) {
    const std::lock_guard lock(s.mutex_);
    s.stop_ = true;
    s.stopped_.notify_one();
  }
  //! [interrupt]

 private:
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
};

using sensor_resource = asyncres::async_resource<asio::thread_pool::executor_type, sensor>;

asio::awaitable<void> after(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> serve(sensor_resource resource) {
  using namespace asio::experimental::awaitable_operators;
  const auto measure = [](sensor& s) { s.measure(); };
  const auto look = [](sensor&, std::error_code&) {};

  // `||` cancels the one that is later: here, the measurement in the middle of it, and the look before its turn.
  const auto [measured, looked] =
      co_await ((resource.async_invoke(measure, asio::use_awaitable) || after(200ms)) &&
                (resource.async_invoke(look, asio::as_tuple(asio::use_awaitable)) || after(100ms)));
  std::cout << (measured.index() == 1 && looked.index() == 1 ? "both took too long\n" : "?\n");

  co_await resource.async_invoke(look, asio::use_awaitable);
  std::cout << "the sensor is idle\n";

  // One runs, two wait for their turn, or have given up waiting, and that is all there may be.
  resource.async_invoke(measure, asio::detached);
  std::error_code failure;
  while (failure != asyncres::errc::queue_full) {
    const auto seen = co_await (resource.async_invoke(look, asio::as_tuple(asio::use_awaitable)) || after(100ms));
    if (seen.index() == 0) std::tie(failure) = std::get<0>(seen);
  }
  std::cout << failure.message() << '\n';

  // The measurement that still runs is interrupted.
  co_await resource.async_close(asyncres::close_mode::cancel);
  std::cout << "closed\n";
}

}  // namespace

int main() {
  asio::thread_pool home(1);
  const sensor_resource resource(home, {.max_pending = 2}, std::in_place);

  asio::io_context server;
  asio::co_spawn(server, serve(resource), asio::detached);
  server.run();
}
