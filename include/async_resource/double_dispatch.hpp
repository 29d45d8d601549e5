// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DOUBLE_DISPATCH_HPP
#define ASYNC_RESOURCE_DOUBLE_DISPATCH_HPP

#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/double_dispatch.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/operation.hpp>

namespace asyncres {
inline namespace v0 {

/// Run a function on another executor and come back with its result.
/**
 * Initiating function: returns at once. The operation completes when the function returned, or threw.
 *
 * @param executor Where the function runs: it is posted there.
 * @param function Decay-copied; called at most once, without arguments; destroyed where it ran. Its result must be a
 *                 value, as for async_resource::async_invoke(). One that takes a `std::error_code&` completes with
 *                 that.
 * @param token    The completion token. By default, and for `asio::deferred`, the operation itself is returned.
 *
 * @par Completion Signature
 * `void(std::exception_ptr[, R])` or `void(std::error_code[, R])`
 *
 * @par Executor
 * The handler's associated executor. Without one the handler is posted to `executor`, or, if that is a strand, to the
 * executor that the strand is made of. Never inside this function, and never on the strand unless that is asked for.
 *
 * @par Per-Operation Cancellation
 * None.
 *
 * @par Object Lifetimes
 * The context of `executor` must exist. If it is destroyed before the function has run, function and handler are
 * destroyed uncalled; if the handler's context is, the handler is, and the function still runs.
 *
 * @par Thread Safety
 * May be called concurrently on one executor.
 *
 * @par Exceptions
 * What copying the function or allocating may throw.
 */
template <asio::execution::executor Executor, class Function, class Token = detail::default_token_t<Executor>>
auto double_dispatch(const Executor& executor, Function&& function, Token&& token = Token()) {
  static_assert(detail::can_post<Executor>,
                "async_resource: double_dispatch needs an executor that supports require(blocking.never)");
  static_assert(detail::operation_function<std::decay_t<Function>>,
                "async_resource: the function does not fit: it must be callable as f() or f(std::error_code&)");
  if constexpr (detail::operation_function<std::decay_t<Function>>) {
    using initiation = detail::initiate_double_dispatch<Executor, std::decay_t<Function>>;
    return detail::initiate<typename initiation::outcome_type::signature>(
        initiation(executor, std::forward<Function>(function)), std::forward<Token>(token));
  }
}

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DOUBLE_DISPATCH_HPP
