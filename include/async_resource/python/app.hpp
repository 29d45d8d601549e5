// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_APP_HPP
#define ASYNC_RESOURCE_PYTHON_APP_HPP

#include <async_resource/python/detail/python.hpp>

#include <exception>
#include <string>
#include <utility>

#include <async_resource/async_resource.hpp>
#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/home_place.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/python/callable.hpp>
#include <async_resource/python/detail/call.hpp>
#include <async_resource/python/interpreter.hpp>
#include <async_resource/python/options.hpp>
#include <async_resource/python/reply.hpp>

namespace asyncres {
inline namespace v0 {

/// Puts a Python callable behind an `asio::strand`, its home: it takes requests and gives replies.
/**
 * The callable runs at home, alone, with the GIL held as `python_options::gil` says; no other thread waits for it. Home
 * is best a thread that may block, such as an `asio::thread_pool` of one: a callable that computes keeps its thread
 * busy, and taking the GIL waits for other Python threads. For one that takes microseconds the I/O thread itself is
 * better: docs/python.md says when.
 *
 * What is a coroutine function runs on an asyncio loop at home, so that many requests await at once.
 *
 * A handle, like `async_resource`, which it holds: cheap to copy, and copies name the same callable. It may outlive the
 * interpreter: calls then fail with a `python::error` that says that the interpreter is gone.
 *
 * @par Thread Safety
 * Distinct handles: safe. One handle: its `const` members may be called concurrently.
 *
 * @par Example
 * @code
 * python::interpreter python({.path = {"."}});
 * asio::thread_pool home(1);
 * const python_app app(home, python, "app:handle");
 * python::reply reply = co_await app.async_call(asio::buffer(request), asio::use_awaitable);
 * @endcode
 */
template <asio::execution::executor Executor>
class python_app {
 public:
  using resource_type = async_resource<Executor, python::callable>;
  using executor_type = typename resource_type::executor_type;
  using inner_executor_type = Executor;

  /// Serve what `target` names, which is imported at home, by async_load() or by the first call.
  /**
   * @param where   Where home is: as for `async_resource`.
   * @param python  The interpreter.
   * @param target  `"module:attribute"`, either with dots: `"package.module:object.method"`.
   * @param options What it is given, and when its home holds the GIL.
   *
   * @par Exceptions
   * `std::invalid_argument` if `target` is not of that form, or CPython lacks the policy, and what allocating may
   * throw.
   */
  template <detail::home_for<Executor> E>
  python_app(E&& where, python::interpreter& python, std::string target, const python_options& options = {})
      : python_app(std::forward<E>(where), python::callable(python, std::move(target), options)) {}

  /// Serve an object at hand, as the callable's options say, or as these do.
  /**
   * @param where     Where home is: as for `async_resource`.
   * @param callable  Made with the GIL held; from here on it is not needed.
   *
   * @par Exceptions
   * `std::invalid_argument` for a policy that it cannot have, and what allocating may throw.
   */
  template <detail::home_for<Executor> E>
  python_app(E&& where, python::callable callable)
      : resource_(std::forward<E>(where), callable.options().resource, std::in_place, std::move(callable)) {}
  template <detail::home_for<Executor> E>
  python_app(E&& where, python::callable callable, const python_options& options)
      : python_app(std::forward<E>(where), python::callable(std::move(callable), options)) {}

  /// The callable as a resource, for functions that are run against it.
  [[nodiscard]] const resource_type& resource() const noexcept { return resource_; }

  /// Home. Not to be asked for once its execution context has been shut down, like any executor.
  [[nodiscard]] executor_type get_executor() const noexcept { return resource_.get_executor(); }

  /// The executor that home is made of. Not to be asked for once its execution context has been shut down.
  [[nodiscard]] inner_executor_type get_inner_executor() const noexcept { return resource_.get_inner_executor(); }

  /// Import the module and find the callable, unless that is done.
  /**
   * Without it the first call does, and reports what went wrong. After a failure the next load or call tries again.
   * Initiating function: returns at once. The operation completes when Python has imported the module, or failed to, or
   * the interpreter or home was found to be gone.
   *
   * @param token The completion token; by default the operation is returned.
   *
   * @par Completion Signature
   * `void(std::exception_ptr)`
   *
   * @par Executor
   * The handler's associated executor, else the inner executor.
   *
   * @par Per-Operation Cancellation
   * `terminal`, `partial` and `total`, while it is queued. An import that runs is not interrupted.
   *
   * @par Errors
   * `python::error`: what importing raises, `AttributeError`, `TypeError` for what cannot be called, `RuntimeError` if
   * the interpreter is gone. `errc::closed` if home's execution context has been shut down.
   *
   * @par Object Lifetimes
   * The handle may be dropped at once.
   *
   * @par Thread Safety
   * May be called concurrently on one handle.
   *
   * @par Exceptions
   * What allocating may throw; then nothing has been submitted.
   */
  template <class Token = detail::default_token_t<Executor>>
  auto async_load(Token&& token = Token()) const {
    return resource_.async_invoke([](python::callable& callable) { callable.load(); }, std::forward<Token>(token));
  }

  /// Call with `request`, and come back with the bytes that the callable returned, or its coroutine.
  /**
   * Initiating function: returns at once. Calls submitted from one thread start in that order. The operation completes
   * when the callable, or the coroutine that it gave, returned or raised, or the interpreter or home was found to be
   * gone.
   *
   * @param request Given to the callable as `python_options::request` says, as `bytes` by default.
   * @param token   The completion token; by default the operation is returned.
   *
   * @par Completion Signature
   * `void(std::exception_ptr, python::reply)`
   *
   * @par Executor
   * The handler's associated executor, else the inner executor.
   *
   * @par Per-Operation Cancellation
   * `terminal`, `partial` and `total`, alike. While the call is queued, it completes at once with `operation_aborted`;
   * while it runs, it is interrupted: see python::callable. While its coroutine awaits, that is cancelled, as often as
   * this is asked for, and the operation completes when it has ended: with `operation_aborted`, or with what it returns
   * or raises instead.
   *
   * @par Errors
   * `python::error`: what the callable raises, `SystemExit` and `KeyboardInterrupt` included; `TypeError` if it does
   * not return `bytes` or what else has the buffer protocol; `BufferError` if that is not in one piece; what
   * async_load() reports. `errc::queue_full` beyond `python_options::max_awaiting`. `errc::closed` if home's execution
   * context has been shut down, or the coroutine's result came too late for the resource's closing, which cancels it.
   *
   * @par Object Lifetimes
   * The handle may be dropped at once; what `request` refers to stays valid until completion. A callable that returns
   * what can be changed, such as a `bytearray`, leaves it as it is until the reply is dropped.
   *
   * @par Thread Safety
   * May be called concurrently on one handle.
   *
   * @par Exceptions
   * What allocating may throw; then nothing has been submitted.
   */
  template <class Token = detail::default_token_t<Executor>>
  auto async_call(asio::const_buffer request, Token&& token = Token()) const {
    using initiation = python::detail::initiate_call<resource_type>;
    return detail::initiate<void(std::exception_ptr, python::reply)>(initiation(resource_, request),
                                                                     std::forward<Token>(token));
  }

  /// Handles are equal if they name the same callable.
  friend bool operator==(const python_app&, const python_app&) = default;

 private:
  resource_type resource_;
};

template <class E>
python_app(E&&, python::interpreter&, std::string, const python_options& = {}) -> python_app<detail::executor_of<E>>;
template <class E>
python_app(E&&, python::callable) -> python_app<detail::executor_of<E>>;
template <class E>
python_app(E&&, python::callable, const python_options&) -> python_app<detail::executor_of<E>>;

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_APP_HPP
