// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_FIGURE_4_HPP
#define ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_FIGURE_4_HPP

#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/deferred.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/strand.hpp>
#include <cstdint>
#include <utility>

#include "meter.hpp"

namespace benchmarks {

// Figure 4 of "Make it Async": the double dispatch, written out.
class figure_4 {
  template <class Function, class Token>
  auto async_use(Function function, Token&& token) {
    auto initiation = [this](auto handler, Function f) {
      auto back = asio::make_work_guard(asio::get_associated_executor(handler, strand_.get_inner_executor()));
      auto there = asio::make_work_guard(strand_.get_inner_executor());
      auto work = [this, f, there = std::move(there), back = std::move(back), handler = std::move(handler)]() mutable {
        const auto result = f(resource_);
        const auto executor = back.get_executor();
        asio::dispatch(executor, [back = std::move(back), handler = std::move(handler), result]() mutable {
          std::move(handler)(result);
        });
      };
      asio::dispatch(strand_, std::move(work));
    };
    return asio::async_initiate<Token, void(std::uint64_t)>(std::move(initiation), token, std::move(function));
  }

 public:
  explicit figure_4(const asio::any_io_executor& home) : strand_(home) {}

  asio::awaitable<void> call(caller& me) {
    while (me.next()) me.got(co_await async_use(me.function(), asio::deferred));
  }

 private:
  asio::strand<asio::any_io_executor> strand_;
  tally resource_;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_CONTENDERS_FIGURE_4_HPP
