// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// One asynchronous operation under every style of completion token. The operation is the same each time; the token says
// how its result is received.
//
//   tokens

#include <asio/append.hpp>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/consign.hpp>
#include <asio/deferred.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/io_context.hpp>
#include <asio/prepend.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <async_resource.hpp>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

// Each call of draw() gives the next number.
using tickets = asyncres::async_resource<asio::thread_pool::executor_type, int>;

constexpr auto draw = [](int& last) { return ++last; };
constexpr auto fail = [](int&) -> int { throw std::runtime_error("sold out"); };

void print(std::string_view token, int ticket) {
  std::cout << token << ": " << ticket << '\n';
}

asio::awaitable<void> awaited(const tickets& machine) {
  print("awaited", co_await machine.async_invoke(draw));
  print("use_awaitable", co_await machine.async_invoke(draw, asio::use_awaitable));

  const auto [failure, ticket] = co_await machine.async_invoke(fail, asio::as_tuple(asio::use_awaitable));
  std::cout << "as_tuple: " << (failure ? "failed" : "succeeded") << '\n';

  using namespace asio::experimental::awaitable_operators;
  const auto [one, other] =
      co_await (machine.async_invoke(draw, asio::use_awaitable) && machine.async_invoke(draw, asio::use_awaitable));
  print("operator&&", one + other);
}

void run(asio::io_context& io) {
  io.restart();
  io.run();
}

void callbacks(const tickets& machine, asio::io_context& io) {
  const auto handler = [](std::string_view token) {
    return [token](std::exception_ptr, int ticket) { print(token, ticket); };
  };
  // Without an associated executor a handler is called on the inner executor, here the thread_pool's.
  machine.async_invoke(draw, asio::bind_executor(io, handler("bind_executor")));
  run(io);
  machine.async_invoke(draw, asio::bind_executor(asio::make_strand(io), handler("a strand")));
  run(io);
  const auto with_name = [](std::string_view token, std::exception_ptr, int ticket) { print(token, ticket); };
  machine.async_invoke(draw, asio::bind_executor(io, asio::prepend(with_name, "prepend")));
  run(io);
  const auto before_name = [](std::exception_ptr, int ticket, std::string_view token) { print(token, ticket); };
  machine.async_invoke(draw, asio::bind_executor(io, asio::append(before_name, "append")));
  run(io);
  machine.async_invoke(draw, asio::bind_executor(io, asio::consign(handler("consign"), std::make_unique<int>())));
  run(io);
}

void operations(const tickets& machine, asio::io_context& io) {
  // Nothing happens before it is called with another token.
  auto later = machine.async_invoke(draw, asio::deferred);

  print("use_future", machine.async_invoke(draw, asio::use_future).get());
  print("deferred", std::move(later)(asio::use_future).get());
  machine.async_invoke(draw, asio::detached);
  print("use_future after detached", machine.async_invoke(draw, asio::use_future).get());

  const auto both = [](auto /* order */, std::exception_ptr, int one, std::exception_ptr, int other) {
    print("make_parallel_group", one + other);
  };
  asio::experimental::make_parallel_group(machine.async_invoke(draw, asio::deferred),
                                          machine.async_invoke(draw, asio::deferred))
      .async_wait(asio::experimental::wait_for_all(), asio::bind_executor(io, both));
  run(io);
}

void blocking(const tickets& machine) {
  //! [block]
  std::error_code error;
  print("block", machine.async_invoke(draw, asyncres::block));
  print("block[error]", machine.async_invoke(draw, asyncres::block[error]));
  //! [block]
}

}  // namespace

int main() {
  asio::thread_pool home(1);
  asio::io_context io;
  const tickets machine(home, 0);

  asio::co_spawn(io, awaited(machine), asio::detached);
  run(io);
  callbacks(machine, io);
  operations(machine, io);
  blocking(machine);
}
