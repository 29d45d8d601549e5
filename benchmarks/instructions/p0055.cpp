// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// One call of a C API, awaited in several ways, so that p0055.py can count what each costs.
//
//   async_resource_p0055            the ways, one a line
//   async_resource_p0055 WAY TIMES

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <async_resource.hpp>
#include <coroutine>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <utility>

namespace {

// The API calls back from within the call, so that there is nothing to count but the way to it and back. Not inlined: in
// truth it is somebody else's.
[[gnu::noinline]] void os_xyz(int parameter, void (*callback)(int result, void* context), void* context) {
  asm volatile("");
  callback(parameter + 1, context);
}

// The least of coroutine types.
struct coroutine {
  struct promise_type {
    coroutine get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

// As the paper writes it by hand: the callback resumes the coroutine where it comes.
struct by_hand {
  int parameter;
  int result = 0;
  std::coroutine_handle<> waiting = {};

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> me) noexcept {
    waiting = me;
    os_xyz(
        parameter,
        [](int r, void* context) {
          auto& self = *static_cast<by_hand*>(context);
          self.result = r;
          self.waiting.resume();
        },
        this);
  }
  int await_resume() const noexcept { return result; }
};

// The same, but the coroutine goes on where it came from, as every asynchronous operation of Asio's does.
struct by_hand_and_back {
  asio::io_context& io;
  int parameter;
  int result = 0;
  std::coroutine_handle<> waiting = {};

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> me) {
    waiting = me;
    os_xyz(
        parameter,
        [](int r, void* context) {
          auto& self = *static_cast<by_hand_and_back*>(context);
          self.result = r;
          asio::post(self.io, self.waiting);
        },
        this);
  }
  int await_resume() const noexcept { return result; }
};

// What an Asio user writes: the handler goes into a block of memory, since the C API can carry no more than a pointer.
template <class Token>
auto async_xyz_by_hand(int parameter, Token&& token) {
  return asio::async_initiate<Token, void(int)>(
      [parameter](auto handler) {
        using handler_type = decltype(handler);
        os_xyz(
            parameter,
            [](int result, void* context) {
              auto* const owned = static_cast<handler_type*>(context);
              handler_type last = std::move(*owned);
              delete owned;
              asio::post(asio::append(std::move(last), result));
            },
            new handler_type(std::move(handler)));
      },
      token);
}

template <class Token>
auto async_xyz(int parameter, Token&& token) {
  return asyncres::completion_token_transform<void(int)>(
      std::forward<Token>(token), [parameter](void* context, void (*callback)(int, void*)) noexcept {
        os_xyz(parameter, callback, context);
      });
}

coroutine plain(long& sum, long times) {
  for (long i = 0; i < times; ++i) sum += co_await by_hand{0};
}
coroutine plain_and_back(asio::io_context& io, long& sum, long times) {
  for (long i = 0; i < times; ++i) sum += co_await by_hand_and_back{io, 0};
}
asio::awaitable<void> with_asio(long& sum, long times) {
  for (long i = 0; i < times; ++i) sum += co_await async_xyz_by_hand(0, asio::use_awaitable);
}
asio::awaitable<void> with_transform(long& sum, long times) {
  for (long i = 0; i < times; ++i) sum += co_await async_xyz(0, asio::deferred);
}

using way = std::function<void(asio::io_context&, long& sum, long times)>;

const std::map<std::string, way> ways = {
    {"by_hand", [](asio::io_context&, long& sum, long times) { plain(sum, times); }},
    {"by_hand_and_back", plain_and_back},
    {"async_initiate",
     [](asio::io_context& io, long& sum, long times) { asio::co_spawn(io, with_asio(sum, times), asio::detached); }},
    {"completion_token_transform",
     [](asio::io_context& io, long& sum, long times) {
       asio::co_spawn(io, with_transform(sum, times), asio::detached);
     }},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    for (const auto& each : ways) std::cout << each.first << '\n';
    return 0;
  }
  asio::io_context io;
  long sum = 0;
  const long times = std::atol(argv[2]);
  ways.at(argv[1])(io, sum, times);
  io.run();
  return sum == times ? 0 : 1;
}
