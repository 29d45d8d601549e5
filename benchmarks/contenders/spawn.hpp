// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_SPAWN_HPP
#define ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_SPAWN_HPP

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/strand.hpp>
#include <asio/use_awaitable.hpp>
#include <cstdint>

#include "meter.hpp"

namespace benchmarks {

// A coroutine on the strand for each use, awaited.
class spawn {
 public:
  explicit spawn(const asio::any_io_executor& home) : strand_(home) {}

  asio::awaitable<void> call(caller& me) {
    while (me.next()) me.got(co_await asio::co_spawn(strand_, use(me), asio::use_awaitable));
  }

 private:
  asio::awaitable<std::uint64_t> use(caller& me) { co_return me.function()(resource_); }

  asio::strand<asio::any_io_executor> strand_;
  tally resource_;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_SPAWN_HPP
