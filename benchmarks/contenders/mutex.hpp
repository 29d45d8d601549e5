// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_MUTEX_HPP
#define ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_MUTEX_HPP

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <mutex>

#include "meter.hpp"

namespace benchmarks {

// Locks, and uses the resource where it is. The thread waits, with all that it would otherwise have done; nothing is
// suspended, so that the callers of one thread come one after the other, whatever the depth.
class mutex {
 public:
  static constexpr bool blocks = true;

  explicit mutex(const asio::any_io_executor&) {}

  asio::awaitable<void> call(caller& me) {
    while (me.next()) me.got(use(me));
    co_return;
  }

 private:
  std::uint64_t use(caller& me) {
    const std::lock_guard lock(mutex_);
    return me.function()(resource_);
  }

  std::mutex mutex_;
  tally resource_;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_MUTEX_HPP
