// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TOKENS_BLOCK_HPP
#define ASYNC_RESOURCE_TOKENS_BLOCK_HPP

#include <cstddef>
#include <exception>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/blocked_call.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {

/// The completion token `block[ec]`.
class block_with_error_t {
 public:
  explicit constexpr block_with_error_t(std::error_code& error) noexcept : error_(&error) {}

  std::error_code& error() const noexcept { return *error_; }

 private:
  std::error_code* error_;
};

/// A completion token: the initiating function waits, and returns what the operation completes with.
/**
 * For the operations of this library, and any of Asio's that completes elsewhere. `op(args..., block)` returns the
 * result, a `std::tuple` if there are several, and throws what the operation failed with: a leading
 * `std::exception_ptr` itself, a leading `std::error_code` as a `std::system_error`. `op(args..., block[ec])` sets `ec`
 * instead, in an `exception_ptr` operation to the code of a `std::system_error`; anything else is thrown all the same.
 *
 * Nothing is allocated, unless the operation takes more than 1,000 bytes, or a cancellation slot is connected: it is on
 * the waiting thread's stack. Handlers of operations that are composed around it run on the waiting thread; what they
 * throw, the call throws. Cancelled by a signal, that must not be emitted before the operation has been initiated.
 *
 * The thread must not be one that the operation needs, such as the only one that runs its context, or the holder of a
 * lease. Where the library knows, that is an error; else it waits for ever.
 *
 * @par Errors
 * @li `errc::would_deadlock`: for an operation on a resource, asked for on its own strand, or within a function that it
 * waits for, be it by way of functions of other resources that block (not by way of coroutines, leases, pools, or
 * resources that share a strand; nor where the token was bound to an executor).
 * @li `asio::error::operation_aborted`: the operation was destroyed with its execution context.
 * @li What making the result throws.
 *
 * @par Thread Safety
 * Any thread.
 *
 * @par Example
 * @snippet 1_basics/tokens.cpp block
 */
class block_t {
 public:
  constexpr block_t() = default;

  /// Sets `error` rather than throwing. It must stay valid until the call returns.
  constexpr block_with_error_t operator[](std::error_code& error) const noexcept { return block_with_error_t(error); }
};

inline constexpr block_t block{};

namespace detail {

// Where the results begin among what an operation completes with, and what they come to.
template <class... Args>
struct results_in {
  using type = typename await_result<Args...>::type;
  static constexpr std::size_t begin = 0;
};
template <class First, class... Args>
  requires is_disposition<First>
struct results_in<First, Args...> {
  using type = typename await_result<Args...>::type;
  static constexpr std::size_t begin = 1;
};

inline void report(std::error_code failure, std::error_code* error) {
  if (error)
    *error = failure;
  else
    throw_if_failed(failure);
}
inline void report(const std::exception_ptr& failure, std::error_code* error) {
  if (!error) return throw_if_failed(failure);
  error->clear();
  try {
    throw_if_failed(failure);
  } catch (const std::system_error& e) {
    *error = e.code() ? e.code() : errc::exception;  // Thrown, it is no success.
  }
}

template <class Signature>
struct blocking;

// Starts an operation, and waits for it. `error`: null if it is to throw.
template <class... Args>
struct blocking<void(Args...)> {
  using completion_type = std::tuple<std::decay_t<Args>...>;
  using results = results_in<std::decay_t<Args>...>;
  using result_type = typename results::type;

  template <class Initiation, class... InitArgs>
  static result_type wait_for(std::error_code* error, Initiation&& initiation, InitArgs&&... args) {
    blocked_call<std::decay_t<Args>...> call;
    start(call, std::forward<Initiation>(initiation), std::forward<InitArgs>(args)...);
    call.wait();
    if (call.move_failure) std::rethrow_exception(call.move_failure);
    if (!call.completion) return abandoned(error);
    if constexpr (results::begin > 0)
      report(std::get<0>(*call.completion), error);
    else if (error)
      error->clear();
    return result_of(*call.completion, std::make_index_sequence<sizeof...(Args) - results::begin>());
  }

 private:
  template <class... Init>
  static void start(blocked_call<std::decay_t<Args>...>& call, Init&&... init) {
    try {
      start_with(waker(call), std::forward<Init>(init)...);
    } catch (...) {
      call.wait();  // Until all have left.
      throw;
    }
  }
  template <class Initiation, class... InitArgs>
  static void start_with(waker<std::decay_t<Args>...> handler, Initiation&& initiation, InitArgs&&... args) {
    std::forward<Initiation>(initiation)(std::move(handler), std::forward<InitArgs>(args)...);
  }

  static result_type abandoned(std::error_code* error) {
    const std::error_code aborted = asio::error::operation_aborted;
    if constexpr (std::is_void_v<result_type> || std::is_default_constructible_v<result_type>) {
      report(aborted, error);
      return result_type();
    } else {
      throw std::system_error(aborted);
    }
  }

  template <std::size_t... I>
  static result_type result_of([[maybe_unused]] completion_type& completion, std::index_sequence<I...>) {
    return result_type(std::get<results::begin + I>(std::move(completion))...);
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

template <class... Args>
class asio::async_result<asyncres::block_t, void(Args...)> {
 public:
  template <class Initiation, class... InitArgs>
  static auto initiate(Initiation&& initiation, asyncres::block_t, InitArgs&&... args) ->
      typename asyncres::detail::blocking<void(Args...)>::result_type {
    return asyncres::detail::blocking<void(Args...)>::wait_for(nullptr, std::forward<Initiation>(initiation),
                                                               std::forward<InitArgs>(args)...);
  }
};

template <class... Args>
class asio::async_result<asyncres::block_with_error_t, void(Args...)> {
 public:
  template <class Initiation, class... InitArgs>
  static auto initiate(Initiation&& initiation, asyncres::block_with_error_t token, InitArgs&&... args) ->
      typename asyncres::detail::blocking<void(Args...)>::result_type {
    return asyncres::detail::blocking<void(Args...)>::wait_for(&token.error(), std::forward<Initiation>(initiation),
                                                               std::forward<InitArgs>(args)...);
  }
};

#endif  // ASYNC_RESOURCE_TOKENS_BLOCK_HPP
