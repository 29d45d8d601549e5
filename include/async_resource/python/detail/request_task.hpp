// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_REQUEST_TASK_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_REQUEST_TASK_HPP

#include <async_resource/python/detail/python.hpp>

#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include <async_resource/python/detail/held.hpp>
#include <async_resource/python/reply.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

class request_task;

// Where tasks can be cancelled.
class task_canceller {
 public:
  // By any thread.
  virtual void cancel(std::shared_ptr<request_task> task) noexcept = 0;

 protected:
  ~task_canceller() = default;
};

// A request whose coroutine runs at home: what home and whoever waits for the reply have in common.
//
//   running --wait--> awaited --complete--> done    the callback is called by complete()
//   running --complete--> done --wait-->            the callback is called by wait()
class request_task : public std::enable_shared_from_this<request_task> {
 public:
  using callback = void (*)(std::exception_ptr, reply, void*);

  explicit request_task(std::weak_ptr<task_canceller> canceller) noexcept : canceller_(std::move(canceller)) {}

  // By any thread, once.
  void wait(void* context, callback function) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (!done_) {
        context_ = context;
        callback_ = function;
        return;
      }
    }
    function(std::move(error_), std::move(reply_), context);
  }

  // It has ended. Only the first time counts.
  void complete(std::exception_ptr error, reply value) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(done_, true)) return;
      if (!callback_) {
        error_ = std::move(error);
        reply_ = std::move(value);
        return;
      }
    }
    callback_(std::move(error), std::move(value), context_);
  }

  // By any thread.
  bool done() const noexcept {
    const std::lock_guard lock(mutex_);
    return done_;
  }

  // By any thread: has it cancelled at home, unless it ends before. Asked for again by then, it is done once.
  void cancel() noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (done_ || std::exchange(to_cancel_, true)) return;
    }
    if (const auto canceller = canceller_.lock()) canceller->cancel(shared_from_this());
  }

  // At home, out of the list of those to cancel: it may be asked for again.
  void begin_cancelling() noexcept {
    const std::lock_guard lock(mutex_);
    to_cancel_ = false;
  }

  // For whoever runs the loop.
  held task;
  std::shared_ptr<request_task> next_to_cancel;

 private:
  const std::weak_ptr<task_canceller> canceller_;
  mutable std::mutex mutex_;  // Guards what follows, until it is done.
  bool done_ = false;
  bool to_cancel_ = false;
  void* context_ = nullptr;
  callback callback_ = nullptr;
  std::exception_ptr error_;
  reply reply_;
};

// Whoever has the reply to come: dropped, it cancels the task.
class request_owner {
 public:
  request_owner() noexcept = default;
  explicit request_owner(std::shared_ptr<request_task> task) noexcept : task_(std::move(task)) {}
  request_owner(request_owner&&) noexcept = default;
  request_owner& operator=(request_owner&& other) noexcept {
    request_owner(std::move(other)).task_.swap(task_);
    return *this;
  }
  ~request_owner() {
    if (task_) task_->cancel();
  }

  std::shared_ptr<request_task> release() noexcept { return std::move(task_); }
  request_task* operator->() const noexcept { return task_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(task_); }

 private:
  std::shared_ptr<request_task> task_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_REQUEST_TASK_HPP
