// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_CHANNEL_HPP
#define ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_CHANNEL_HPP

#include <asio/any_io_executor.hpp>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/deferred.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/concurrent_channel.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <system_error>
#include <utility>

#include "meter.hpp"

namespace benchmarks {

// A channel of requests, and one coroutine on the strand that serves them. Each caller has a channel for the replies.
// The channel of requests has room for all, so that no sender ever waits.
class channel {
  using replies = asio::experimental::concurrent_channel<void(std::error_code, std::uint64_t)>;

  struct request {
    std::function<std::uint64_t(tally&)> function;
    replies* reply_to;
  };

 public:
  channel(const asio::any_io_executor& home, std::size_t depth) : requests_(home, depth) {
    asio::co_spawn(asio::make_strand(home), serve(), asio::detached);
  }

  asio::awaitable<void> call(caller& me) {
    replies reply(co_await asio::this_coro::executor, 1);
    while (me.next()) {
      request use{me.function(), &reply};
      co_await requests_.async_send(std::error_code(), std::move(use), asio::deferred);
      me.got(co_await reply.async_receive(asio::deferred));
    }
  }

  void stop() { requests_.close(); }

 private:
  asio::awaitable<void> serve() {
    for (;;) {
      const auto [closed, next] = co_await requests_.async_receive(asio::as_tuple(asio::deferred));
      if (closed) co_return;
      next.reply_to->try_send(std::error_code(), next.function(resource_));
    }
  }

  asio::experimental::concurrent_channel<void(std::error_code, request)> requests_;
  tally resource_;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_CHANNEL_HPP
