// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_EXECUTOR_HPP
#define ASYNC_RESOURCE_DETAIL_EXECUTOR_HPP

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>

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

template <can_post Executor, class Function, class Allocator>
void post_to_concrete(const Executor& executor, Function&& function, const Allocator& allocator) {
  // A copy, even where nothing had to be required: the function may run, and end the executor given, meanwhile.
  const auto bound =
      asio::prefer(asio::require(executor, asio::execution::blocking.never), asio::execution::allocator(allocator));
  bound.execute(std::forward<Function>(function));
}

// The executor of one of the contexts that Asio ships, of any property, to what the context itself gives.
template <class Allocator, auto Bits>
asio::io_context::executor_type asio_context_executor(const asio::io_context::basic_executor_type<Allocator, Bits>&);
template <class Allocator, auto Bits>
asio::thread_pool::executor_type asio_context_executor(const asio::thread_pool::basic_executor_type<Allocator, Bits>&);
template <class Blocking, class Relationship, class Allocator>
asio::system_executor asio_context_executor(const asio::basic_system_executor<Blocking, Relationship, Allocator>&);

template <class T>
concept has_default_token = requires {
  typename T::default_completion_token_type;
};

// What is derived from such an executor could be anything, but for as_default_on's.
template <class T>
inline constexpr bool is_context_executor = false;
template <class T>
  requires requires(const T& executor) {
    detail::asio_context_executor(executor);
  }
inline constexpr bool is_context_executor<T> =
    has_default_token<T> ||
    std::same_as<tracked_executor<T>,
                 tracked_executor<decltype(detail::asio_context_executor(std::declval<const T&>()))>>;

template <class T>
using context_executor_t = decltype(detail::asio_context_executor(std::declval<const T&>()));

template <class T>
inline constexpr bool is_context_strand = false;
template <class Executor>
inline constexpr bool is_context_strand<asio::strand<Executor>> = is_context_executor<Executor>;

// Calls `visit` with the executor that an `any_io_executor` holds, where it is one of those or a strand of one: the
// erased `execute` ignores the allocator property, and allocates. Tracked or not, they are different types.
template <class Visit>
decltype(auto) visit_target(const asio::any_io_executor& executor, Visit&& visit) {
  return visit(executor);
}
template <class Concrete, class... Others, class Visit>
decltype(auto) visit_target(const asio::any_io_executor& executor, Visit&& visit) {
  if (const auto* const target = executor.target<Concrete>()) return visit(*target);
  return detail::visit_target<Others...>(executor, std::forward<Visit>(visit));
}

template <class Executor, class Visit>
decltype(auto) visit_concrete(const Executor& executor, Visit&& visit) {
  if constexpr (std::same_as<Executor, asio::any_io_executor>) {
    using io = asio::io_context::executor_type;
    using pool = asio::thread_pool::executor_type;
    using system = asio::system_executor;
    return detail::visit_target<io, tracked_executor<io>, pool, tracked_executor<pool>, asio::strand<io>,
                                asio::strand<tracked_executor<io>>, asio::strand<pool>,
                                asio::strand<tracked_executor<pool>>, system, asio::strand<system>>(
        executor, std::forward<Visit>(visit));
  } else {
    return visit(executor);
  }
}

// What keeps a context at work for one of its executors, or of its strands. An erased executor is not asked to track
// work itself where that can be helped: what it holds then may not fit into it, and it would allocate.
template <class Executor>
struct work_of {
  using type = tracked_executor<Executor>;

  static type start(const Executor& executor) { return track_work(executor); }
};
template <>
struct work_of<asio::any_io_executor> {
  using type = std::variant<std::monostate, tracked_executor<asio::io_context::executor_type>,
                            tracked_executor<asio::thread_pool::executor_type>, asio::any_io_executor>;

  static type start(const asio::any_io_executor& executor) {
    return visit_concrete(executor, []<class Concrete>(const Concrete& concrete) { return start_on(concrete); });
  }

 private:
  template <class Concrete>
  static type start_on(const Concrete& executor) {
    if constexpr (is_context_strand<Concrete>)
      return start_on(executor.get_inner_executor());
    else if constexpr (!is_context_executor<Concrete>)
      return track_work(executor);
    else if constexpr (std::same_as<context_executor_t<Concrete>, asio::system_executor>)
      return std::monostate();
    else
      return track_work(executor);
  }
};
template <class Executor>
using work_t = typename work_of<Executor>::type;

// Sends a function to an executor, to run there later and never here, in memory from the allocator.
template <can_post Executor, class Function, class Allocator>
void post_to(const Executor& executor, Function&& function, const Allocator& allocator) {
  visit_concrete(
      executor, [&](const auto& concrete) { post_to_concrete(concrete, std::forward<Function>(function), allocator); });
}

template <can_post Executor, class Function, std::size_t Slots>
void post_to(const Executor& executor, Function&& function, reserved_memory<Slots>& memory) {
  post_to(executor, std::forward<Function>(function), reserved_allocator<void, Slots>(memory));
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_EXECUTOR_HPP
