// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_PENDING_REPLY_HPP
#define ASYNC_RESOURCE_PYTHON_PENDING_REPLY_HPP

#include <async_resource/python/detail/python.hpp>

#include <exception>
#include <memory>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/python/detail/request_task.hpp>
#include <async_resource/python/reply.hpp>
#include <async_resource/tokens/completion_token_transform.hpp>

namespace asyncres {
inline namespace v0 {
namespace python {

namespace detail {
struct call_access;
}

/// What a callable was asked for: a reply that is there, or that a coroutine is still to give.
/**
 * Made by callable::start(). Dropped before the coroutine has ended, it cancels it.
 *
 * @par Thread Safety  Distinct objects: safe. Shared objects: unsafe.
 */
class pending_reply {
 public:
  /// The empty reply, ready.
  pending_reply() noexcept = default;

  /// Whether no coroutine was needed: then the reply is there.
  bool ready() const noexcept { return !task_; }

  /// Whether there is nothing to wait for: the reply is there, or the coroutine has ended, be it with an error.
  bool ended() const noexcept { return !task_ || task_->done(); }

  /// The reply. It is ready().
  reply get() && noexcept { return std::move(reply_); }

  /// Wait for the reply.
  /**
   * Initiating function: returns at once. The operation completes when the coroutine has ended. To be called once.
   *
   * @param token The completion token; by default the operation is returned, to be awaited. Not `block` at home: the
   *              coroutine runs there, and that would wait for ever.
   *
   * @par Completion Signature
   * `void(std::exception_ptr, python::reply)`
   *
   * @par Executor
   * The handler's associated executor, else `asio::system_executor`.
   *
   * @par Per-Operation Cancellation
   * `terminal`, `partial` and `total`: the coroutine is cancelled; the operation completes when it has ended.
   *
   * @par Errors
   * As for python_app::async_call().
   *
   * @par Object Lifetimes
   * This may be destroyed at once.
   */
  template <class Token = asio::deferred_t>
  auto async_get(Token&& token = Token()) && {
    return completion_token_transform<void(std::exception_ptr, reply)>(std::forward<Token>(token),
                                                                       waiting{std::move(reply_), std::move(task_)},
                                                                       [](waiting& start) noexcept { start.cancel(); });
  }

 private:
  friend class callable;
  friend struct detail::call_access;

  struct waiting {
    reply ready;
    detail::request_owner task;

    void operator()(void* context, detail::request_task::callback function) {
      if (task)
        task->wait(context, function);
      else
        function(nullptr, std::move(ready), context);
    }
    void cancel() noexcept {
      if (task) task->cancel();
    }
  };

  pending_reply(reply ready) noexcept : reply_(std::move(ready)) {}
  explicit pending_reply(std::shared_ptr<detail::request_task> task) noexcept : task_(std::move(task)) {}

  reply reply_;
  detail::request_owner task_;
};

}  // namespace python
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_PENDING_REPLY_HPP
