// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ASIO_DISPATCH_HPP
#define ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ASIO_DISPATCH_HPP

#include <asio/version.hpp>

#if ASIO_VERSION >= 103700

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/deferred.hpp>
#include <asio/dispatch.hpp>
#include <asio/strand.hpp>

#include "meter.hpp"

namespace benchmarks {

// Asio's own: run a function on an executor, then the handler on its own.
class asio_dispatch {
 public:
  explicit asio_dispatch(const asio::any_io_executor& home) : strand_(home) {}

  asio::awaitable<void> call(caller& me) {
    while (me.next()) {
      auto use = [this, function = me.function()] { return function(resource_); };
      me.got(co_await asio::dispatch(use, strand_, asio::deferred));
    }
  }

 private:
  asio::strand<asio::any_io_executor> strand_;
  tally resource_;
};

}  // namespace benchmarks

#endif  // ASIO_VERSION

#endif  // ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ASIO_DISPATCH_HPP
