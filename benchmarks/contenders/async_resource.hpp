// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ASYNC_RESOURCE_HPP
#define ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ASYNC_RESOURCE_HPP

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/use_future.hpp>
#include <async_resource.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <span>
#include <vector>

#include "meter.hpp"

namespace benchmarks {

using resource_handle = asyncres::async_resource<asio::any_io_executor, tally>;

// This library, awaited.
class awaited {
 public:
  static constexpr bool ours = true;

  explicit awaited(const asio::any_io_executor& home) : resource_(home) {}

  asio::awaitable<void> call(caller& me) {
    while (me.next()) me.got(co_await resource_.async_invoke(me.function()));
  }

 private:
  resource_handle resource_;
};

// This library, each operation started by the handler of the one before.
class callbacks {
 public:
  static constexpr bool ours = true;

  explicit callbacks(const asio::any_io_executor& home) : resource_(home) {}

  void call(caller& me, const asio::any_io_executor& mine) {
    if (!me.next()) return;
    resource_.async_invoke(me.function(),
                           asio::bind_executor(mine, [&, this](std::exception_ptr, std::uint64_t result) {
                             me.got(result);
                             call(me, mine);
                           }));
  }

 private:
  resource_handle resource_;
};

// This library, used by a thread that may wait, with a future for each operation outstanding.
class futures {
 public:
  static constexpr bool ours = true;

  explicit futures(const asio::any_io_executor& home) : resource_(home) {}

  void call(std::span<caller> mine) {
    std::vector<std::future<std::uint64_t>> pending(mine.size());
    for (std::size_t i = 0; i < mine.size(); ++i) submit(mine[i], pending[i]);
    // Once one caller has ended, each ends when its turn comes: round to the first that has.
    for (std::size_t i = 0; pending[i].valid(); i = (i + 1) % mine.size()) {
      mine[i].got(pending[i].get());
      submit(mine[i], pending[i]);
    }
  }

 private:
  void submit(caller& me, std::future<std::uint64_t>& result) {
    if (me.next()) result = resource_.async_invoke(me.function(), asio::use_future);
  }

  resource_handle resource_;
};

// One operation at a time a thread, whatever the depth.
class blocking {
 public:
  static constexpr bool ours = true;

  explicit blocking(const asio::any_io_executor& home) : resource_(home) {}

  void call(std::span<caller> mine) {
    for (caller& me : mine)
      while (me.next()) me.got(resource_.async_invoke(me.function(), asyncres::block));
  }

 private:
  resource_handle resource_;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_ASYNC_RESOURCE_HPP
