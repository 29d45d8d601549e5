// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_HARNESS_HPP
#define ASYNC_RESOURCE_BENCHMARKS_HARNESS_HPP

#include <algorithm>
#include <asio/any_io_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <concepts>
#include <cstddef>
#include <exception>
#include <span>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

#include "meter.hpp"
#include "topology.hpp"

namespace benchmarks {

// A contender is a class with the resource in it. It is made from the executor where that is to live, and offers one of
//
//   awaitable<void> call(caller&)                 a coroutine, spawned for each caller;
//   void call(caller&, const any_io_executor&)    a chain of callbacks on that executor, begun there for each caller;
//   void call(std::span<caller>)                  a thread that waits, for as many callers.
//
// or, if it is not made with Asio, is made from the topology and does it all: void run(meter&, std::span<caller>).

template <class Contender>
concept spawns = requires(Contender contender, caller& each) {
  contender.call(each);
};
template <class Contender>
concept chains = requires(Contender contender, caller& each, const asio::any_io_executor& mine) {
  contender.call(each, mine);
};
template <class Contender>
concept waits = requires(Contender contender, std::span<caller> callers) {
  contender.call(callers);
};

template <class Contender>
void run(const topology& where, std::size_t depth, meter& the_meter, std::span<caller> callers) {
  if constexpr (std::constructible_from<Contender, const topology&>) {
    Contender(where).run(the_meter, callers);
  } else {
    contexts there(where);
    auto contender = [&] {
      if constexpr (std::constructible_from<Contender, asio::any_io_executor, std::size_t>)
        return Contender(there.home(), depth);
      else
        return Contender(there.home());
    };
    // Made in place, it need not be movable; gone before the contexts are.
    Contender it = contender();
    if constexpr (requires { it.stop(); }) the_meter.on_last_caller = [&] { it.stop(); };

    if constexpr (spawns<Contender>) {
      const auto rethrow = [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
      };
      for (auto& each : callers) asio::co_spawn(there.callers(), it.call(each), rethrow);
      there.run();
    } else if constexpr (chains<Contender>) {
      const auto mine = there.callers();
      for (auto& each : callers) asio::post(mine, [&] { it.call(each, mine); });
      there.run();
    } else {
      static_assert(waits<Contender>);
      auto work = asio::make_work_guard(there.callers());
      std::jthread io([&] { there.run(); });
      {
        std::vector<std::jthread> threads;
        const std::size_t share = (callers.size() + std::size_t(where.threads) - 1) / std::size_t(where.threads);
        for (std::size_t from = 0; from < callers.size(); from += share)
          threads.emplace_back(
              [&it, mine = callers.subspan(from, std::min(share, callers.size() - from))] { it.call(mine); });
      }
      work.reset();
    }
  }
}

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_HARNESS_HPP
