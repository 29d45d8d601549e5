// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_TRANSFORM_CHECK_HPP
#define ASYNC_RESOURCE_DETAIL_TRANSFORM_CHECK_HPP

#include <concepts>
#include <system_error>
#include <type_traits>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/detail/transform_call.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What there is to know about the signature of a C callback.
template <class Signature>
inline constexpr bool is_c_signature = false;
template <class... Args>
inline constexpr bool is_c_signature<void(Args...)> = true;

template <class Signature>
inline constexpr bool takes_values = false;
template <class... Args>
inline constexpr bool takes_values<void(Args...)> = (std::is_object_v<Args> && ...);

template <class Signature>
inline constexpr bool is_nothrow_movable = false;
template <class... Args>
inline constexpr bool is_nothrow_movable<void(Args...)> = (std::is_nothrow_move_constructible_v<Args> && ...);

template <class Signature>
inline constexpr bool begins_with_disposition = false;
template <class Arg, class... Args>
inline constexpr bool begins_with_disposition<void(Arg, Args...)> = is_disposition<Arg>;

template <class Signature>
inline constexpr bool has_defaults = false;
template <class... Args>
inline constexpr bool has_defaults<void(Args...)> = (std::default_initializable<Args> && ...);

// Whether these fit together; if not, says what to do.
template <class Signature, context_at Where, class Start>
constexpr bool check_start() {
  using callback = typename c_callback<Signature, Where>::type;
  constexpr bool fits = std::invocable<Start, void*, callback>;
  static_assert(fits,
                "async_resource: start does not fit: it must be callable as start(void* context, callback), with "
                "callback a void (*)(Args..., void*), or, after context_first, a void (*)(void*, Args...)");
  if constexpr (fits) {
    using result = std::invoke_result_t<Start, void*, callback>;
    constexpr bool refuses = std::is_same_v<result, std::error_code>;
    static_assert(refuses || std::is_void_v<result>,
                  "async_resource: start must return void, or a std::error_code that says whether it failed");
    static_assert(!refuses || begins_with_disposition<Signature>,
                  "async_resource: start returns an error that nobody would receive: let Signature begin with "
                  "std::error_code or std::exception_ptr, or start return void");
    static_assert(!refuses || has_defaults<Signature>,
                  "async_resource: where start returns an error, all arguments of Signature must be default "
                  "constructible, since that is what the handler is called with");
    return std::is_void_v<result> || (refuses && begins_with_disposition<Signature> && has_defaults<Signature>);
  }
  return false;
}

template <class Token, class Signature, context_at Where, class Start, class Cancel>
constexpr bool check_transform() {
  static_assert(is_c_signature<Signature>,
                "async_resource: Signature must be void(Args...): what the C callback takes, without its context");
  if constexpr (is_c_signature<Signature>) {
    static_assert(takes_values<Signature>,
                  "async_resource: the arguments of Signature must be values; a reference is a pointer in C");
    static_assert(!takes_values<Signature> || is_nothrow_movable<Signature>,
                  "async_resource: the arguments of Signature must be nothrow move constructible, since no exception "
                  "can leave a C callback");
    static_assert(asio::completion_token_for<Token, Signature>,
                  "async_resource: the first argument is no completion token for Signature: a callback must take all "
                  "of its Args");
    constexpr bool cancels =
        std::is_same_v<Cancel, no_cancel> || std::invocable<Cancel> || std::invocable<Cancel, Start&>;
    static_assert(cancels,
                  "async_resource: cancel does not fit: it must be callable as cancel(), or as cancel(start&)");
    if constexpr (is_nothrow_movable<Signature> && asio::completion_token_for<Token, Signature> && cancels)
      return check_start<Signature, Where, Start>();
  }
  return false;
}

// Whether making the operation, and no more than that, cannot throw.
template <class Token, class... Functions>
inline constexpr bool nothrow_deferred = is_deferred_token<Token> &&
                                         (std::is_nothrow_constructible_v<std::decay_t<Functions>, Functions> && ...) &&
                                         (std::is_nothrow_move_constructible_v<std::decay_t<Functions>> && ...);

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_TRANSFORM_CHECK_HPP
