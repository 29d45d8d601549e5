// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_HOP_HPP
#define ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_HOP_HPP

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/deferred.hpp>
#include <asio/dispatch.hpp>
#include <asio/strand.hpp>

#include "meter.hpp"

namespace benchmarks {

// The coroutine itself goes to the strand, uses the resource there, and goes back.
class hop {
 public:
  explicit hop(const asio::any_io_executor& home) : strand_(home) {}

  asio::awaitable<void> call(caller& me) {
    while (me.next()) {
      co_await asio::dispatch(asio::bind_executor(strand_, asio::deferred));
      const auto result = me.function()(resource_);
      co_await asio::dispatch(asio::deferred);
      me.got(result);
    }
  }

 private:
  asio::strand<asio::any_io_executor> strand_;
  tally resource_;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_HOP_HPP
