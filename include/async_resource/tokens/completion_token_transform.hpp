// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TOKENS_COMPLETION_TOKEN_TRANSFORM_HPP
#define ASYNC_RESOURCE_TOKENS_COMPLETION_TOKEN_TRANSFORM_HPP

#include <concepts>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/detail/transform.hpp>
#include <async_resource/detail/transform_call.hpp>
#include <async_resource/detail/transform_check.hpp>
#include <async_resource/detail/transform_in_frame.hpp>

namespace asyncres {
inline namespace v0 {

/// The type of `context_first`.
struct context_first_t {
  explicit context_first_t() = default;
};

/// Says that the C callback takes its context first: `callback(void* context, Args...)`.
inline constexpr context_first_t context_first{};

namespace detail {

template <class Signature, context_at Where, class Token, class Start, class Cancel = no_cancel>
auto transform(Token&& token, Start&& start, Cancel&& cancel = Cancel()) {
  using start_type = std::decay_t<Start>;
  using cancel_type = std::decay_t<Cancel>;
  using call = c_call<Signature, Where, start_type, cancel_type>;
  if constexpr (check_transform<Token, Signature, Where, start_type, cancel_type>())
    return detail::initiate<Signature>(
        initiate_transform<call>(call{std::forward<Start>(start), std::forward<Cancel>(cancel)}),
        std::forward<Token>(token));
}

}  // namespace detail

/// Make an asynchronous operation of a C API that calls back.
/**
 * Initiating function: returns at once. Calls `start(context, callback)`, which hands both to the C API, and the API
 * calls `callback(args..., context)`. The operation completes when:
 * @li the callback has come, once, in any thread, or from within start() or cancel(), and those have returned;
 * @li start() returned an error.
 *
 * A leading `std::error_code` or `std::exception_ptr` among Args is the disposition: awaited, it is thrown. Any other
 * error that the API passes is a value, for example `void(int result, int status)`.
 *
 * @tparam Signature `void(Args...)`: what the C callback takes, without the context. Args are values; what a pointer
 *                   among them points to must still be there when the handler is called.
 * @param token  The completion token. With `asio::deferred` the operation itself is returned, to be awaited.
 * @param start  Decay-copied; called once, in this function, or where the operation is awaited; not moved from then on.
 *               Returns void, or a `std::error_code`: if that is an error, the callback must never come, and the
 *               operation completes with it, as a `std::system_error` if the disposition is a `std::exception_ptr`,
 *               and with the other Args value-initialised. If it throws, the callback must never come either.
 * @param cancel Decay-copied; optional. Called as `cancel()`, or as `cancel(start)` if it takes that: start may have
 *               kept what the API calls this call. Asks the API to give up. The callback has to come nevertheless, and
 *               says how it ended. Must not throw.
 *
 * @par Completion Signature
 * `Signature`
 *
 * @par Executor
 * The handler's associated executor, else `asio::system_executor`. The handler is posted there, never called within
 * this function, start(), cancel() or the callback. The executor is kept at work until then.
 *
 * @par Per-Operation Cancellation
 * With cancel, terminal, partial and total: cancel() is called once, in the thread that emits, unless the callback has
 * come; that may come meanwhile, in another thread. While start() runs, its caller is left to call cancel() afterwards.
 * Without cancel: none.
 *
 * @par Object Lifetimes
 * start and cancel live until the operation completes, which it does not before they have returned. If the handler's
 * execution context is destroyed before the callback has come, so is the handler, and the callback does nothing when it
 * comes. Only a coroutine that awaits the operation directly cannot be destroyed then, because the API has a pointer
 * into it: it stays suspended for good. So cancel, and let the callbacks come, before a context is destroyed.
 *
 * @par Thread Safety
 * May be called concurrently. The callback may come in any thread.
 *
 * @par Exceptions
 * What copying start and cancel, or allocating, may throw, and what start() throws: then the handler is destroyed. With
 * `asio::deferred`, only what copying them may throw. Awaited, what start() throws comes out of the `co_await`; nothing
 * is allocated, but for one block if there is a cancel and a cancellation slot is connected. That holds in
 * `asio::awaitable`, and in coroutines of any other type, which the `system_executor` resumes.
 *
 * @par Example
 * @snippet 1_basics/c_api.cpp adapt
 */
template <class Signature, class Token, class Start, class... Cancel>
  requires(sizeof...(Cancel) <= 1 && !std::same_as<std::decay_t<Start>, context_first_t>)
auto completion_token_transform(Token&& token, Start&& start,
                                Cancel&&... cancel) noexcept(detail::nothrow_deferred<Token, Start, Cancel...>) {
  return detail::transform<Signature, detail::context_at::end>(std::forward<Token>(token), std::forward<Start>(start),
                                                               std::forward<Cancel>(cancel)...);
}

/// The same, for a C API that calls `callback(context, args...)`.
template <class Signature, class Token, class Start, class... Cancel>
  requires(sizeof...(Cancel) <= 1)
auto completion_token_transform(Token&& token, context_first_t, Start&& start,
                                Cancel&&... cancel) noexcept(detail::nothrow_deferred<Token, Start, Cancel...>) {
  return detail::transform<Signature, detail::context_at::front>(std::forward<Token>(token), std::forward<Start>(start),
                                                                 std::forward<Cancel>(cancel)...);
}

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_TOKENS_COMPLETION_TOKEN_TRANSFORM_HPP
