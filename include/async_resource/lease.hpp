// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_LEASE_HPP
#define ASYNC_RESOURCE_LEASE_HPP

#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/access.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/default_token.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/invoke.hpp>
#include <async_resource/detail/lease_hold.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/detail/use_check.hpp>
#include <async_resource/error.hpp>
#include <async_resource/observer.hpp>

namespace asyncres {
inline namespace v0 {

/// A resource for oneself, across any number of asynchronous operations: for a transaction, say.
/**
 * Made by async_resource::async_lease(). As long as it is held, only its own functions run; those submitted by way of a
 * handle wait for their turn, in order. It ends with release(), or when it is destroyed, wherever that is: by an
 * unwinding coroutine, with an execution context. What it submitted before still runs, and then, if that was anything,
 * and unless commit() has been called, `rollback(resource)`, if there is such a function (see `rolls_back`).
 *
 * Keeps the resource alive, and closing it waits. Its functions run also while that waits, and need no place in a
 * bounded queue.
 *
 * A thread that blocked to get a lease, or last blocked on its operations, gets `errc::would_deadlock` where it would
 * block on the handle; a coroutine that awaits an operation on the handle while it has a lease waits for ever.
 *
 * @par Thread Safety
 * Distinct objects: safe. Shared objects: unsafe. May be moved to other threads and coroutines.
 *
 * @par Example
 * @code
 * auto lease = co_await connection.async_lease();
 * co_await lease.async_invoke(begin);
 * co_await lease.async_invoke(withdraw);
 * co_await lease.async_invoke(commit);
 * lease.commit();
 * @endcode
 */
template <asio::execution::executor Executor, class Resource, class Observer = no_observer>
class lease {
 public:
  /// Empty.
  lease() noexcept = default;
  lease(lease&& other) noexcept = default;
  lease& operator=(lease&& other) noexcept = default;
  ~lease() = default;

  /// Whether it is held.
  explicit operator bool() const noexcept { return static_cast<bool>(hold_); }

  /// Run a function against the resource, ahead of all that is not this lease's.
  /**
   * As async_resource::async_invoke(), but for the queue, and with no coroutine for a function: hold the lease across
   * any number of co_awaits instead. Functions of one lease run in the order submitted. One that is
   * started when the lease has ended completes with `errc::closed`.
   *
   * @par Exceptions Also `std::system_error` with `errc::closed` if the lease is empty.
   */
  template <class Function, class Token = detail::default_token_t<Executor>>
  auto async_invoke(Function&& function, Token&& token = Token()) const {
    if constexpr (detail::check_plain_function<Function, Resource>()) {
      using leased = detail::leased<std::decay_t<Function>>;
      using initiation = detail::initiate_invoke<home_type, leased>;
      if (!hold_) throw std::system_error(errc::closed);
      hold_->use();
      return detail::initiate<typename initiation::outcome_type::signature>(
          initiation(hold_->home(), leased{std::forward<Function>(function), hold_->number()}),
          std::forward<Token>(token));
    }
  }

  /// The lease will end without `rollback()`.
  void commit() noexcept {
    if (hold_) hold_->commit();
  }

  /// Ends it. It is empty then.
  void release() noexcept { hold_.reset(); }

 private:
  using home_type = detail::home<Executor, Resource, Observer>;
  template <class Lease, class Home>
  friend struct detail::leasing;
  friend struct detail::access;

  detail::home_ref<home_type> home_here() const noexcept {
    return hold_ && hold_->home()->is_here() ? hold_->home() : detail::home_ref<home_type>();
  }

  explicit lease(detail::lease_owner<home_type> hold) noexcept : hold_(std::move(hold)) {}

  detail::lease_owner<home_type> hold_;
};

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_LEASE_HPP
