// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_ASYNC_RESOURCE_HPP
#define ASYNC_RESOURCE_ASYNC_RESOURCE_HPP

#include <concepts>
#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/access.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/await.hpp>
#include <async_resource/detail/coroutine_call.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_place.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/invoke.hpp>
#include <async_resource/detail/lease_hold.hpp>
#include <async_resource/detail/makes.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/detail/resumption.hpp>
#include <async_resource/detail/tenant.hpp>
#include <async_resource/detail/use_check.hpp>
#include <async_resource/lease.hpp>
#include <async_resource/observer.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {

/// Puts a resource that only one thread may touch at a time behind an `asio::strand`.
/**
 * The strand is the resource's *home*: it lives there, every function that uses it runs there, alone, and it is
 * destroyed there. A use is one asynchronous operation, see async_invoke().
 *
 * An object of this class is a handle, as cheap to copy as an `asio::strand`. Copies name the same resource, which goes
 * when the last of them has gone and the last operation has run: home destroys it then. If home's execution context is
 * shut down first, the resource is destroyed with it, operations still queued are destroyed with their handlers, and
 * later ones complete with `errc::closed`. A moved-from handle may only be assigned to or destroyed.
 *
 * @tparam Executor What the strand is made of: an Asio executor that can `require(blocking.never)`.
 * @tparam Resource Anything. Need not be movable, copyable or default-constructible. It may offer
 * `interrupt(Resource&)` and `finish_interrupt(Resource&)`: see `interruptible` and `finishes_interrupts`.
 * @tparam Observer Is told what becomes of each operation: see `no_observer`.
 *
 * @par Thread Safety
 * Distinct handles: safe. One handle: its `const` members may be called concurrently.
 *
 * @par Example
 * @snippet 1_basics/counter.cpp counter
 */
template <asio::execution::executor Executor, class Resource, class Observer = no_observer>
class async_resource {
  static_assert(detail::check_resource<Executor, Resource>());

 public:
  /// Home: where the resource lives and functions run.
  using executor_type = asio::strand<Executor>;
  /// What the strand is made of, and where a handler without an executor of its own is called.
  using inner_executor_type = Executor;
  using resource_type = Resource;

  /// Rebinds the handle to another inner executor, for `as_default_on_t` and its like.
  template <class OtherExecutor>
  struct rebind_executor {
    using other = async_resource<OtherExecutor, Resource, Observer>;
  };
  // as_default_on_t adapts executor_type, a strand. What it adapts it with belongs on the executor inside.
  template <template <class> class Adapter, class InnerExecutor>
    requires requires {
      typename Adapter<asio::strand<InnerExecutor>>::default_completion_token_type;
    }
  struct rebind_executor<Adapter<asio::strand<InnerExecutor>>> {
    using other = async_resource<Adapter<InnerExecutor>, Resource, Observer>;
  };

  /// Constructs the resource, in place, in the calling thread.
  /**
   * @param where What is convertible to `Executor`, or an execution context: a new strand is made of it. Else a strand
   * of such an executor, which is then shared with whatever else runs on it. A strand is itself convertible to
   * `asio::any_io_executor`: it is the inner executor then, and serves as home as well.
   * @param args  What the resource is constructed from: `Resource(args...)`, or `Resource{args...}` for an aggregate.
   *
   * @par Exceptions What constructing the resource or allocating may throw.
   */
  template <class E, class... Args>
    requires detail::can_house<E, Executor, Resource, Args...>
  explicit async_resource(E&& where, Args&&... args)
      : async_resource(detail::on_site, detail::site_at<Executor>(std::forward<E>(where)), resource_options(),
                       std::in_place, std::forward<Args>(args)...) {}

  /// Constructs the resource likewise, and says how it is served.
  /**
   * @par Exceptions Also `std::invalid_argument` for `on_failure::rebuild`, which needs a factory.
   */
  template <class E, class... Args>
    requires(detail::can_house<E, Executor, Resource, Args...>)
  async_resource(E&& where, resource_options options, std::in_place_t, Args&&... args)
      : async_resource(detail::on_site, detail::site_at<Executor>(std::forward<E>(where)), options, std::in_place,
                       std::forward<Args>(args)...) {}

  /// Has the resource constructed at home, by a factory, before the first function runs.
  /**
   * @param factory Decay-copied; called as `factory()`, at home, and destroyed there. What it returns is the resource.
   * What it throws is the failure of the operation that it was called for, and the next one calls it again. With
   * `on_failure::rebuild` it is also called after a function threw.
   *
   * @par Exceptions What copying the factory or allocating may throw.
   */
  template <class E, class Factory>
    requires(detail::can_house_product<E, Executor, Resource, Factory>)
  async_resource(E&& where, resource_options options, from_factory_t, Factory factory)
      : async_resource(detail::on_site, detail::site_at<Executor>(std::forward<E>(where)), options, from_factory,
                       std::move(factory)) {}

  /// Home. Not to be asked for once its execution context has been shut down, like any executor.
  [[nodiscard]] executor_type get_executor() const noexcept { return home_->strand(); }

  /// The executor that home is made of. Not to be asked for once its execution context has been shut down.
  [[nodiscard]] inner_executor_type get_inner_executor() const noexcept { return home_->inner_executor(); }

  /// Run a function against the resource, alone, and come back with its result.
  /**
   * Initiating function: returns at once. `function(resource)` runs at home and never overlaps another function of
   * this resource; functions submitted from one thread start in that order. The operation completes when:
   * @li the function returned, or threw;
   * @li it was cancelled, or had waited for too long, before the function was called;
   * @li it was refused: the queue was full, the resource poisoned or closed, or home gone.
   *
   * A function of the form `R(Resource&)` or `R(Resource&, cancellation_view)` completes with `(exception_ptr[, R])`,
   * one of the form `R(Resource&, error_code&)` or `R(Resource&, error_code&, cancellation_view)` with
   * `(error_code[, R])`: a `std::system_error` that it throws gives its code, `std::bad_alloc` gives
   * `not_enough_memory`, anything else `errc::exception`. On failure the result is `R()`.
   *
   * A function that returns `asio::awaitable<R>` is a coroutine, which runs at home too, and has the resource to itself
   * until it has finished, as if it held a lease; cancelling reaches into it, by its own cancellation state. It
   * allocates, and takes nothing but the resource: neither an error_code nor a cancellation_view.
   *
   * The result comes away from home, so it must be a value: default-constructible and movable, no reference, and no
   * pointer, `reference_wrapper` or borrowed view unless `may_leave_home` says so. If moving it throws on the way, the
   * operation fails with that; if the last move throws, into the handler, that comes out of the `run()` it is called
   * in.
   *
   * @param function Decay-copied; called at most once, at home; destroyed at home, unless it was refused before it was
   *                 queued.
   * @param token    The completion token. By default, and for `asio::deferred`, the operation itself is returned, to be
   *                 awaited or started with another token. It is `[[nodiscard]]`, move-only, and holds a handle.
   *
   * @par Completion Signature
   * `void(std::exception_ptr[, R])` or `void(std::error_code[, R])`
   *
   * @par Executor
   * The handler's associated executor, else the inner executor. Never inside this function, never while the resource is
   * held. Work is tracked on the first until the handler has returned, on the inner executor until the completion is on
   * its way.
   *
   * @par Per-Operation Cancellation
   * `terminal`, `partial` and `total`, alike. While the operation is queued, it completes at once with
   * `asio::error::operation_aborted`: the function is not called, and destroyed at home when its turn comes. While the
   * function runs, it is asked to give up, through its `cancellation_view` and by `interrupt(resource)` if there is
   * such a function (see `interruptible`), and the operation completes with what it comes to. The slot's signal may be
   * emitted in any thread, also while the operation starts or completes, but not concurrently with the call of this
   * function, nor with the handler's own use of the slot. A connected slot costs one block of memory.
   *
   * @par Errors
   * What the function, or the resource's factory, throws or sets. `asio::error::operation_aborted` and
   * `errc::timed_out_queued`: not called. `errc::poisoned`: an earlier function threw. `errc::queue_full` and
   * `errc::closed`, the latter also if home's execution context has been shut down: through the handler's immediate
   * executor if it has one, else as usual, but with `asio::system_executor` in place of an inner executor that is gone.
   * Tokens that take the operation's own executor, such as `use_promise`, still need that context.
   *
   * @par Object Lifetimes
   * The handle may be dropped at once; what the function refers to may not. If the handler's execution context is shut
   * down before completion, the handler is destroyed uncalled, the function still runs, and its result is destroyed at
   * home.
   *
   * @par Thread Safety
   * May be called concurrently on one handle.
   *
   * @par Exceptions
   * What copying the function or allocating may throw; then nothing has been submitted. Awaited from `asio::awaitable`,
   * nothing is allocated. What an executor of your own throws from `execute`; its strand does not survive that, and
   * later operations complete with `errc::closed`.
   *
   * @par Example
   * @snippet 1_basics/counter.cpp ask
   */
  template <class Function, class Token = detail::default_token_t<Executor>>
  auto async_invoke(Function&& function, Token&& token = Token()) const {
    if constexpr (detail::check_function_at_home<Function, Executor, Resource>()) {
      using initiation = std::conditional_t<detail::coroutine_function<std::decay_t<Function>, Resource>,
                                            detail::initiate_coroutine<home_type, std::decay_t<Function>>,
                                            detail::initiate_invoke<home_type, std::decay_t<Function>>>;
      return detail::initiate<typename initiation::outcome_type::signature>(
          initiation(home_, std::forward<Function>(function)), std::forward<Token>(token));
    }
  }

  /// Have the resource for oneself, across any number of operations.
  /**
   * Initiating function: returns at once. Completes when all that was submitted before has run, with a lease: as long
   * as that is held, nobody else's functions run. See `lease`.
   *
   * As async_invoke() in all other respects: it can be cancelled while it waits, and is an operation like others to
   * `resource_options` and stats(). If nobody receives the lease, it ends.
   *
   * @param token The completion token; as for async_invoke().
   *
   * @par Completion Signature
   * `void(std::exception_ptr, lease<Executor, Resource, Observer>)`
   */
  template <class Token = detail::default_token_t<Executor>>
  auto async_lease(Token&& token = Token()) const {
    using lease_type = lease<Executor, Resource, Observer>;
    using function = detail::leasing<lease_type, home_type>;
    using initiation = detail::initiate_invoke<home_type, function>;
    return detail::initiate<void(std::exception_ptr, lease_type)>(
        initiation(home_, function{detail::lease_owner<home_type>(new detail::lease_hold<home_type>(home_))}),
        std::forward<Token>(token));
  }

  /// Close the resource, for every handle to it.
  /**
   * Initiating function: returns at once. Operations initiated from now on complete with `errc::closed`; those already
   * queued run or are cancelled, as `mode` says. Completes when they are through, every lease has ended, every home_ptr
   * has gone, and the resource has been destroyed, at home. May be called more than once: every call completes then,
   * with success. The last handle dropped without it destroys the resource as well, but does not tell when.
   *
   * @param mode  What becomes of operations that are queued; see close_mode.
   * @param token The completion token; as for async_invoke().
   *
   * @par Completion Signature
   * `void(std::error_code)`
   *
   * @par Per-Operation Cancellation
   * As for async_invoke(): the operation completes with `asio::error::operation_aborted`, and the closing goes on.
   *
   * @par Thread Safety
   * May be called concurrently on one handle, and from within a function of the resource.
   */
  template <class Token = detail::default_token_t<Executor>>
  auto async_close(close_mode mode = close_mode::drain, Token&& token = Token()) const {
    using initiation = detail::initiate_invoke<home_type, detail::closing>;
    return detail::initiate<void(std::error_code)>(initiation(home_, detail::closing{mode}),
                                                   std::forward<Token>(token));
  }
  template <class Token>
    requires(!std::same_as<std::decay_t<Token>, close_mode>)
  auto async_close(Token&& token) const { return async_close(close_mode::drain, std::forward<Token>(token)); }

  /// Cancels every operation initiated before, without waiting for it.
  /**
   * Those queued complete with `asio::error::operation_aborted` when home next looks, at the latest when the function
   * that runs returns; no function of theirs is called. The one that runs is asked to give up, as by its cancellation
   * slot.
   *
   * @par Thread Safety
   * Any thread, also from within a function.
   */
  void cancel() const noexcept { home_->cancel(); }

  /// What the resource has done, and has to do.
  /**
   * @par Thread Safety
   * Any thread. Waits for home only while that looks after its queue, never for a function.
   */
  [[nodiscard]] resource_stats stats() const noexcept { return home_->stats(); }

  /// What poisoned the resource: null unless a function threw, and `on_failure::poison` was chosen.
  [[nodiscard]] std::exception_ptr failure() const { return home_->failure(); }

  /// Handles are equal if they name the same resource.
  // Not defaulted: the class must not ask for more of a Resource that is still incomplete.
  friend bool operator==(const async_resource& a, const async_resource& b) noexcept { return a.home_ == b.home_; }

 private:
  using home_type = detail::home<Executor, Resource, Observer>;
  friend struct detail::access;

  detail::home_ref<home_type> home_here() const noexcept {
    return home_ && home_->is_here() ? home_ : detail::home_ref<home_type>();
  }

  // How: std::in_place_t or from_factory_t.
  template <class How, class... Args>
  async_resource(detail::on_site_t, detail::home_site<Executor> site, const resource_options& options, How how,
                 Args&&... args)
      : home_(new home_type(std::move(site), options, how, std::forward<Args>(args)...)) {}

  detail::home_ref<home_type> home_;
};

/// Makes an async_resource, and deduces its executor.
/**
 * @param where An executor, an execution context, or a strand, which is then shared: the resource's executor is the one
 * that the strand is made of.
 * @param args  What the resource is constructed from.
 */
template <class Resource, class ExecutorOrContext, class... Args>
  requires detail::home_place<ExecutorOrContext> && detail::makes<Resource, Args...>
[[nodiscard]] auto make_async_resource(ExecutorOrContext&& where, Args&&... args) {
  using executor = detail::executor_of<ExecutorOrContext>;
  return detail::access::make<async_resource<executor, Resource>>(
      detail::share_or_make_site(std::forward<ExecutorOrContext>(where)), resource_options(), std::in_place,
      std::forward<Args>(args)...);
}

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_ASYNC_RESOURCE_HPP
