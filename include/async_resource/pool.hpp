// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_POOL_HPP
#define ASYNC_RESOURCE_POOL_HPP

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/access.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/default_token.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/home_place.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/detail/pool_factory.hpp>
#include <async_resource/detail/pool_invoke.hpp>
#include <async_resource/detail/pool_state.hpp>
#include <async_resource/detail/use_check.hpp>
#include <async_resource/lease.hpp>
#include <async_resource/observer.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {

namespace detail {

template <class E, class Executor, class Resource, class Factory>
concept can_house_pool = !strand<E> && std::copy_constructible<Factory> &&
                         can_house_product<E, Executor, Resource, indexed_factory<Factory>>;

template <class Executor, class E>
Executor pool_executor(E&& where) {
  if constexpr (std::is_convertible_v<E, Executor>)
    return std::forward<E>(where);
  else
    return where.get_executor();
}

template <class T>
concept hashable = requires(const T& value) {
  { std::hash<T>()(value) } -> std::convertible_to<std::size_t>;
};

}  // namespace detail

/// Several resources of a kind, each on its own strand, and one queue for all of them.
/**
 * A function goes to a resource that is idle; if none is, it waits in one queue, in order, for the first that is free.
 * Which one it gets is not said, unless async_invoke_on() is asked for the one that belongs to a key. Otherwise each
 * member of the pool is what an async_resource is: its resource lives, is used and is destroyed at its own home.
 *
 * An object of this class is a handle, cheap to copy; copies name the same pool. A moved-from handle may only be
 * assigned to or destroyed.
 *
 * @tparam Executor What the strands are made of: an Asio executor that can `require(blocking.never)`.
 * @tparam Resource As for async_resource.
 * @tparam Observer As for async_resource. There is one for each member, and one for the queue.
 *
 * @par Thread Safety
 * Distinct handles: safe. One handle: its `const` members may be called concurrently.
 */
template <asio::execution::executor Executor, class Resource, class Observer = no_observer>
class async_resource_pool {
  static_assert(detail::check_resource<Executor, Resource>());

 public:
  /// What the strands are made of, and where a handler without an executor of its own is called.
  using executor_type = Executor;
  using inner_executor_type = Executor;
  using resource_type = Resource;

  /// Rebinds the handle to another executor.
  template <class OtherExecutor>
  struct rebind_executor {
    using other = async_resource_pool<OtherExecutor, Resource, Observer>;
  };

  /// Has `n` resources constructed, each at its home, by a factory, before the first function runs there.
  /**
   * @param where   What is convertible to `Executor`, or an execution context. Each member's home is its own strand.
   * @param n       How many. Not zero.
   * @param factory Decay-copied, once for each member and once for async_resize(). Called as `factory(index)`, with
   *                `index < n`, at the home of that member: copies may be called concurrently. What it throws is the
   *                failure of the operation that it was called for, and the next one there calls it again. With
   *                `on_failure::rebuild` it is also called after a function threw; the others serve meanwhile.
   * @param options Of each member. `max_pending` and `full` are also those of the pool's queue; `on_failure::poison`
   *                takes the member out of service, and when none is left, operations complete with `errc::poisoned`.
   *
   * @par Exceptions
   * `std::invalid_argument` if `n` is zero. What copying the factory or allocating may throw.
   */
  template <class E, class Factory>
    requires(detail::can_house_pool<E, Executor, Resource, std::decay_t<Factory>>)
  async_resource_pool(E&& where, std::size_t n, Factory factory, resource_options options = {})
      : state_(state_type::make(detail::pool_executor<Executor>(std::forward<E>(where)), not_zero(n),
                                std::move(factory), options)) {}

  executor_type get_executor() const noexcept { return state_->inner_executor(); }
  inner_executor_type get_inner_executor() const noexcept { return state_->inner_executor(); }

  /// Run a function against one of the resources, alone, and come back with its result.
  /**
   * Initiating function: returns at once. `function(resource)` runs at the home of the first member that is free, and
   * never overlaps another function of that member. Functions are taken from the queue in the order submitted, and run
   * in any order where there is more than one member. The operation completes when:
   * @li the function returned, or threw;
   * @li it was cancelled, or refused, before the function started.
   *
   * @param function As for async_resource::async_invoke(), but no coroutine: take async_lease().
   * @param token    The completion token. By default, and for `asio::deferred`, the operation itself is returned.
   *
   * @par Completion Signature
   * `void(std::exception_ptr[, R])` or `void(std::error_code[, R])`
   *
   * @par Executor
   * The handler's associated executor, else get_executor(). Never inside this function, never while a resource is held.
   *
   * @par Per-Operation Cancellation
   * As for async_resource::async_invoke().
   *
   * @par Errors
   * As for async_resource::async_invoke(). With the token `block` from within a function of the pool:
   * `errc::would_deadlock`, since every member could do that at once.
   *
   * @par Object Lifetimes
   * As for async_resource::async_invoke().
   *
   * @par Thread Safety
   * May be called concurrently on one handle.
   *
   * @par Exceptions
   * What copying the function or allocating may throw; then nothing has been submitted. One block is
   * allocated, from the handler's associated allocator; where it has none, as in an `asio::awaitable`, from the memory
   * that Asio keeps for each of its threads, which is to say that nothing is allocated in the long run. And another one
   * if a cancellation slot is connected.
   */
  template <class Function, class Token = detail::default_token_t<Executor>>
  auto async_invoke(Function&& function, Token&& token = Token()) const {
    if constexpr (detail::check_plain_function<Function, Resource>()) {
      using initiation = detail::initiate_pool_invoke<state_type, std::decay_t<Function>>;
      return detail::initiate<typename initiation::outcome_type::signature>(
          initiation(state_, std::forward<Function>(function)), std::forward<Token>(token));
    }
  }

  /// Run a function against the resource that belongs to a key, alone, and come back with its result.
  /**
   * As async_invoke(), but all operations with equal keys go to the same member, in order, as long as the pool keeps
   * its size. They wait in that member's own queue, for which `resource_options::max_pending` holds anew; it
   * alternates between that and the pool's. If that member is poisoned, so are its keys, although others serve.
   *
   * @param key Looked at in this function only, with `std::hash`.
   */
  template <class Key, class Function, class Token = detail::default_token_t<Executor>>
  auto async_invoke_on(const Key& key, Function&& function, Token&& token = Token()) const {
    static_assert(detail::hashable<Key>, "async_resource: there is no std::hash for the key");
    if constexpr (detail::check_plain_function<Function, Resource>() && detail::hashable<Key>) {
      using initiation = detail::initiate_pool_invoke_on<state_type, std::decay_t<Function>>;
      return detail::initiate<typename initiation::outcome_type::signature>(
          initiation(state_, std::hash<Key>()(key), std::forward<Function>(function)), std::forward<Token>(token));
    }
  }

  /// Have one of the resources for oneself, across any number of operations.
  /**
   * As async_resource::async_lease(), of the first member that is free. The others serve meanwhile.
   *
   * A thread that blocks on the pool while it has leases of all members waits for ever, and is not told.
   *
   * @par Completion Signature
   * `void(std::exception_ptr, lease<Executor, Resource, Observer>)`
   */
  template <class Token = detail::default_token_t<Executor>>
  auto async_lease(Token&& token = Token()) const {
    using lease_type = lease<Executor, Resource, Observer>;
    using function = detail::pool_leasing<lease_type, typename state_type::home_type>;
    using initiation = detail::initiate_pool_invoke<state_type, function>;
    return detail::initiate<void(std::exception_ptr, lease_type)>(initiation(state_, function()),
                                                                  std::forward<Token>(token));
  }

  /// Change how many resources there are.
  /**
   * Initiating function: returns at once. New members take part from now on. Members that are too many, those with the
   * highest indices, be they healthy or not, take nothing more from the pool's queue, run what was submitted to them
   * alone, and have their resources destroyed at home. Completes when no member is left that is to leave.
   *
   * @param n     How many. Not zero.
   * @param token The completion token; as for async_invoke().
   *
   * @par Completion Signature
   * `void(std::error_code)`
   *
   * @par Per-Operation Cancellation
   * As for async_invoke(): it completes with `asio::error::operation_aborted`, and the pool gets its new size.
   *
   * @par Errors
   * `asio::error::invalid_argument` if `n` is zero; `errc::closed`.
   *
   * @par Exceptions
   * What copying the factory or allocating may throw; then there may be some of the new members.
   */
  template <class Token = detail::default_token_t<Executor>>
  auto async_resize(std::size_t n, Token&& token = Token()) const {
    using initiation = detail::initiate_pool_change<state_type, detail::resize_pool>;
    return detail::initiate<void(std::error_code)>(initiation(state_, detail::resize_pool{n}),
                                                   std::forward<Token>(token));
  }

  /// Close the pool, for every handle to it: as async_resource::async_close(), for all its resources.
  template <class Token = detail::default_token_t<Executor>>
  auto async_close(close_mode mode = close_mode::drain, Token&& token = Token()) const {
    using initiation = detail::initiate_pool_change<state_type, detail::close_pool>;
    return detail::initiate<void(std::error_code)>(initiation(state_, detail::close_pool{mode}),
                                                   std::forward<Token>(token));
  }
  template <class Token>
    requires(!std::same_as<std::decay_t<Token>, close_mode>)
  auto async_close(Token&& token) const { return async_close(close_mode::drain, std::forward<Token>(token)); }

  /// Cancels every operation initiated before, as async_resource::cancel().
  /**
   * One that is initiated while this runs, in another thread, may be among them.
   */
  void cancel() const noexcept { state_->cancel(); }

  /// What the members have done and have to do, summed, with those that have left.
  /**
   * `running` may be as many as there are members. `queued` and `high_water` are sums of what the pool's queue and
   * those of the members had, and may be more than `max_pending`.
   */
  [[nodiscard]] resource_stats stats() const noexcept { return state_->stats(); }

  /// What poisoned one of the members: null unless a function threw, and `on_failure::poison` was chosen.
  [[nodiscard]] std::exception_ptr failure() const { return state_->failure(); }

  /// Handles are equal if they name the same pool.
  friend bool operator==(const async_resource_pool& a, const async_resource_pool& b) noexcept {
    return a.state_ == b.state_;
  }

 private:
  using state_type = detail::pool_state<Executor, Resource, Observer>;
  friend struct detail::access;

  auto home_here() const noexcept { return state_->home_here(); }

  static std::size_t not_zero(std::size_t n) {
    if (n == 0) throw std::invalid_argument("async_resource: a pool needs at least one resource");
    return n;
  }

  std::shared_ptr<state_type> state_;
};

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_POOL_HPP
