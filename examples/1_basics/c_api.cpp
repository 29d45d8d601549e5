// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A C library that calls back, made an asynchronous operation: a few lines, once, and every style of waiting fits. Here
// is one call in five. slow_c.h is the library. Awaited or blocked on, a call allocates nothing.
//
//   c_api

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/deferred.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <async_resource.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <system_error>
#include <utility>

#include "slow_c.h"

namespace {

using namespace std::chrono_literals;

//! [adapt]
// A call of slow_sum(). Once called it stays where it is, so that `this` can be the C library's context.
struct sum_call {
  slow_adder* adder;
  int a;
  int b;
  void* context = nullptr;
  void (*callback)(std::error_code, int, void*) = nullptr;

  static std::error_code code(int error) { return {error, std::generic_category()}; }

  std::error_code operator()(void* c, void (*f)(std::error_code, int, void*)) {
    context = c;
    callback = f;
    const auto done = [](int result, int error, void* self) {
      const auto* call = static_cast<sum_call*>(self);
      call->callback(code(error), result, call->context);
    };
    return code(slow_sum(adder, a, b, done, this));
  }
};

template <class Token>
auto async_sum(slow_adder* adder, int a, int b, Token&& token) {
  return asyncres::completion_token_transform<void(std::error_code, int)>(
      std::forward<Token>(token), sum_call{adder, a, b}, [adder] { slow_cancel(adder); });
}
//! [adapt]

asio::awaitable<void> after(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> awaited(slow_adder* adder) {
  std::cout << "co_await: " << co_await async_sum(adder, 1, 2, asio::deferred) << '\n';

  // Cancels the one that is later.
  using namespace asio::experimental::awaitable_operators;
  const auto either = co_await (async_sum(adder, 1'000'000'000, 2, asio::use_awaitable) || after(20ms));
  std::cout << "co_await, for 20 ms: " << (either.index() == 0 ? "added" : "cancelled") << '\n';
}

}  // namespace

int main() {
  const std::unique_ptr<slow_adder, void (*)(slow_adder*)> owner(slow_open(), slow_close);
  slow_adder* const adder = owner.get();
  if (!adder) return 1;

  asio::io_context io;
  asio::co_spawn(io, awaited(adder), asio::detached);
  io.run();

  const auto print = [](std::error_code, int sum) { std::cout << "callback: " << sum << '\n'; };
  async_sum(adder, 1, 2, asio::bind_executor(io, print));
  io.restart();
  io.run();

  std::cout << "use_future: " << async_sum(adder, 1, 2, asio::use_future).get() << '\n';

  std::cout << "block: " << async_sum(adder, 1, 2, asyncres::block) << '\n';

  std::error_code error;
  const int sum = async_sum(adder, 1, 2, asyncres::block[error]);
  std::cout << "block[error]: " << sum << ", " << (error ? error.message() : "no error") << '\n';
}
