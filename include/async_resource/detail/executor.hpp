// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_EXECUTOR_HPP
#define ASYNC_RESOURCE_DETAIL_EXECUTOR_HPP

#include <concepts>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/reserved_memory.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// An executor that can be told never to run a function inside `execute`. `any_completion_executor` cannot.
template <class Executor>
concept can_post = asio::can_require_v<const Executor&, asio::execution::blocking_t::never_t>;

template <class T>
inline constexpr bool is_strand = false;
template <class Executor>
inline constexpr bool is_strand<asio::strand<Executor>> = true;

template <class Executor>
using tracked_executor =
    std::decay_t<asio::prefer_result_t<const Executor&, asio::execution::outstanding_work_t::tracked_t>>;

template <class Executor>
tracked_executor<Executor> track_work(const Executor& executor) {
  return asio::prefer(executor, asio::execution::outstanding_work.tracked);
}

template <can_post Executor, class Function>
void post_to_concrete(const Executor& executor, Function&& function, reserved_memory& memory) {
  asio::prefer(asio::require(executor, asio::execution::blocking.never),
               asio::execution::allocator(reserved_allocator<void>(memory)))
      .execute(std::forward<Function>(function));
}

// Calls `visit` with the executor that an `any_io_executor` holds, where it is one of Asio's usual ones: the erased
// `execute` ignores the allocator property, and allocates. Tracked or not, they are different types.
template <class Visit, class... Concrete>
void visit_target(const asio::any_io_executor& executor, Visit&& visit, std::type_identity<Concrete>...) {
  const bool found = ([&] {
    const auto* target = executor.target<Concrete>();
    if (target) visit(*target);
    return target != nullptr;
  }() || ...);
  if (!found) visit(executor);
}

// Sends a function to an executor, to run there later and never here, in memory that has been set aside for it.
template <can_post Executor, class Function>
void post_to(const Executor& executor, Function&& function, reserved_memory& memory) {
  if constexpr (std::same_as<Executor, asio::any_io_executor>) {
    using io = asio::io_context::executor_type;
    using pool = asio::thread_pool::executor_type;
    visit_target(
        executor, [&](const auto& target) { post_to_concrete(target, std::forward<Function>(function), memory); },
        std::type_identity<io>(), std::type_identity<tracked_executor<io>>(), std::type_identity<pool>(),
        std::type_identity<tracked_executor<pool>>());
  } else {
    post_to_concrete(executor, std::forward<Function>(function), memory);
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_EXECUTOR_HPP
