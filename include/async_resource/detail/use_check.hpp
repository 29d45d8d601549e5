// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_USE_CHECK_HPP
#define ASYNC_RESOURCE_DETAIL_USE_CHECK_HPP

#include <concepts>
#include <type_traits>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/executor.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Whether these fit together; if not, says what to do.
template <class Executor, class Resource>
constexpr bool check_resource() {
  constexpr bool is_plain = std::is_object_v<Resource> && !std::is_array_v<Resource> && !std::is_const_v<Resource>;
  static_assert(is_plain, "async_resource: Resource must be a plain object type");
  static_assert(can_post<Executor>,
                "async_resource: Executor must support require(blocking.never), or functions could run inside the "
                "initiating function: take asio::any_io_executor, or a context's own executor");
  return true;  // What is wrong has been said.
}

template <class Function, class Resource>
constexpr bool check_function() {
  static_assert(operation_on<Function, Resource>,
                "async_resource: the function does not fit: it must be callable as f(Resource&) or "
                "f(Resource&, std::error_code&), each with or without a cancellation_view as last argument");
  return operation_on<Function, Resource>;
}

// The same where the function may be a coroutine.
template <class Function, class Executor, class Resource>
constexpr bool check_function_at_home() {
  using function = std::decay_t<Function>;
  if constexpr (coroutine_function<function, Resource>) {
    using form = use_form<function, Resource>;
    using executor = typename form::raw_result::executor_type;
    constexpr bool is_plain = !form::has_view && !form::has_code;
    constexpr bool may_run_at_home = std::constructible_from<executor, const asio::strand<Executor>&>;
    static_assert(is_plain,
                  "async_resource: the function is a coroutine, and takes more than the resource: give it as "
                  "f(Resource&), have it throw, and look at its own cancellation state "
                  "(asio::this_coro::cancellation_state)");
    static_assert(may_run_at_home,
                  "async_resource: the function is a coroutine whose executor cannot be the resource's strand: return "
                  "asio::awaitable<T>, or asio::awaitable<T, E> with the resource's executor_type for E");
    return is_plain && may_run_at_home;
  } else {
    return check_function<Function, Resource>();
  }
}

// The same where it may not.
template <class Function, class Resource>
constexpr bool check_plain_function() {
  constexpr bool is_plain = !coroutine_function<std::decay_t<Function>, Resource>;
  static_assert(is_plain,
                "async_resource: the function is a coroutine, which only an async_resource takes: hold a lease, from "
                "async_lease(), and co_await between the functions that are run by way of it");
  if constexpr (is_plain)
    return check_function<Function, Resource>();
  else
    return false;
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_USE_CHECK_HPP
