// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_CALL_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_CALL_HPP

#include <async_resource/python/detail/python.hpp>

#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/python/callable.hpp>
#include <async_resource/python/detail/request_task.hpp>
#include <async_resource/python/pending_reply.hpp>
#include <async_resource/python/reply.hpp>
#include <async_resource/tokens/completion_token_transform.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// A call is two operations in a row: the callable is called at home; then, only if that gave a coroutine, the wait for
// its end. The handler's slot is connected once, to this, for both of them.
class call_canceller {
 public:
  // Of the first.
  asio::cancellation_slot slot() noexcept { return queued_.slot(); }

  // The second begins.
  void follow(const std::shared_ptr<request_task>& task) noexcept {
    {
      const std::lock_guard lock(mutex_);
      task_ = task;
      if (!asked_) return;
    }
    task->cancel();
  }

  // In any thread.
  void cancel() noexcept {
    std::shared_ptr<request_task> task;
    {
      const std::lock_guard lock(mutex_);
      asked_ = true;
      task = task_;
    }
    if (task)
      task->cancel();
    else
      queued_.emit(asio::cancellation_type::terminal);
  }

 private:
  asio::cancellation_signal queued_;
  std::mutex mutex_;  // Guards what follows.
  bool asked_ = false;
  std::shared_ptr<request_task> task_;
};

// The slot's end.
struct cancel_call {
  explicit cancel_call(std::shared_ptr<call_canceller> which) noexcept : canceller(std::move(which)) {}

  std::shared_ptr<call_canceller> canceller;

  void operator()(asio::cancellation_type_t type) noexcept {
    if (type != asio::cancellation_type::none) canceller->cancel();
  }
};

struct call_access {
  static std::shared_ptr<request_task> task_of(pending_reply&& pending) noexcept { return pending.task_.release(); }
};

// The handler of the first operation, which stands for that of the call.
template <class Executor, class Handler>
class call_handler {
 public:
  call_handler(const Executor& inner, std::shared_ptr<call_canceller> canceller, Handler&& handler)
      : inner_(inner), canceller_(std::move(canceller)), handler_(std::move(handler)) {}

  void operator()(std::exception_ptr error, pending_reply pending) {
    if (error || pending.ready()) return std::move(handler_)(std::move(error), std::move(pending).get());
    auto task = call_access::task_of(std::move(pending));
    if (canceller_) canceller_->follow(task);
    const auto executor = asio::get_associated_executor(handler_, inner_);
    completion_token_transform<void(std::exception_ptr, reply)>(
        asio::bind_executor(executor, std::move(handler_)),
        [task = std::move(task)](void* context, request_task::callback function) { task->wait(context, function); });
  }

  const Handler& handler() const noexcept { return handler_; }

 private:
  Executor inner_;
  std::shared_ptr<call_canceller> canceller_;
  Handler handler_;
};

// The initiation of async_call.
template <class Resource>
class initiate_call {
 public:
  using executor_type = typename Resource::inner_executor_type;

  initiate_call(Resource resource, asio::const_buffer request) noexcept
      : resource_(std::move(resource)), request_(request) {}

  executor_type get_executor() const noexcept { return resource_.get_inner_executor(); }

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = call_handler<executor_type, std::decay_t<Handler>>;
    std::decay_t<Handler> local(std::forward<Handler>(handler));
    const auto canceller = connect(asio::get_associated_cancellation_slot(local));
    const Resource resource = std::move(resource_);
    auto call = [resource, request = request_](callable& c) { return c.start(request, resource); };
    resource.async_invoke(
        std::move(call),
        asio::bind_cancellation_slot(canceller ? canceller->slot() : asio::cancellation_slot(),
                                     handler_type(resource.get_inner_executor(), canceller, std::move(local))));
  }

 private:
  template <class Slot>
  static std::shared_ptr<call_canceller> connect(Slot slot) {
    if (!slot.is_connected()) return nullptr;
    auto canceller = std::make_shared<call_canceller>();
    slot.template emplace<cancel_call>(canceller);
    return canceller;
  }

  Resource resource_;
  asio::const_buffer request_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

template <template <class, class> class Associator, class Executor, class Handler, class DefaultCandidate>
struct asio::associator<Associator, asyncres::python::detail::call_handler<Executor, Handler>, DefaultCandidate>
    : Associator<Handler, DefaultCandidate> {
  static auto get(const asyncres::python::detail::call_handler<Executor, Handler>& bound) noexcept {
    return Associator<Handler, DefaultCandidate>::get(bound.handler());
  }
  static auto get(const asyncres::python::detail::call_handler<Executor, Handler>& bound,
                  const DefaultCandidate& candidate) noexcept {
    return Associator<Handler, DefaultCandidate>::get(bound.handler(), candidate);
  }
};

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_CALL_HPP
