// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_TASK_HPP
#define ASYNC_RESOURCE_DETAIL_TASK_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/cache.hpp>
#include <async_resource/detail/context_registry.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

class any_operation;
class home_base;
class homebound;

struct task_link {
  task_link* next = nullptr;
};

// How many cancellations of all its operations a home had seen, counted from 1; the lease it belongs to, counted
// likewise; and, if home keeps it, the time.
struct task_stamp {
  // A lease that is held when a task with this one comes does not hold it up.
  static constexpr std::uint32_t anytime = UINT32_MAX;

  std::uint32_t epoch = 0;
  std::uint32_t lease = 0;
  std::chrono::steady_clock::time_point time{};
};

// Something to be done at home. It owns itself: exactly one of run, abandon and fail is called, once, or, for an
// operation, what eviction calls instead (home_base.hpp). All are called in the stage `draining`, and see to it that
// what is the user's runs outside of that (drain_stage.hpp); but for a null `draining`, where the task is in nobody's
// queue.
class home_task : public task_link {
 public:
  // At home.
  virtual void run(home_base& home) noexcept = 0;
  // Home has been shut down; in the thread that did it.
  virtual void abandon(home_base* draining) noexcept = 0;
  // Home lives, but could not be told of the task.
  virtual void fail(std::error_code error, home_base* draining) noexcept = 0;

  // Where what becomes of the task goes from home: null for one that ends there.
  homebound* origin() const noexcept { return origin_; }

  // In the queue: gives the operation, which is then the caller's, and what takes its place, should there be something:
  // the function, since that belongs to home, where it is still to be called, or only to be destroyed. No operation:
  // that has been taken already. A lock is held.
  struct parts {
    any_operation* operation;
    home_task* remainder;
  };
  virtual parts take_apart([[maybe_unused]] bool to_be_called) noexcept { return {nullptr, this}; }
  // While it runs, likewise: then there is no remainder.
  virtual any_operation* take_running() noexcept { return nullptr; }
  // Keeps the context from being shut down to which the operation, once taken, is to be sent. False: it is being.
  virtual bool pin_origin(std::optional<context_pin>&) const noexcept { return true; }

  // An operation is stamped when it is submitted. Other tasks are not, and neither refused nor counted.
  bool is_operation() const noexcept { return stamp_.epoch != 0; }
  const task_stamp& stamp() const noexcept { return stamp_; }
  void set_stamp(const task_stamp& stamp) noexcept { stamp_ = stamp; }

 protected:
  home_task() = default;
  ~home_task() = default;

  homebound* origin_ = nullptr;

 private:
  task_stamp stamp_;
};

// An operation, by whoever has taken it out of the queue, or has the function that was in it.
class any_operation : public home_task {
 public:
  // Completes with an error: by another than home, who has pinned its context. Unpins it before anything is destroyed
  // that may own that context.
  virtual void refuse(std::error_code error, std::optional<context_pin>& pin) noexcept = 0;
  // At home, in the stage `draining`, or with home gone: completes with an error, or what the function came to; or
  // goes, with its handler.
  virtual void end(std::error_code error, home_base* draining) noexcept = 0;
  virtual void return_with(home_base& home, void* outcome) noexcept = 0;
  virtual void discard(home_base* draining) noexcept = 0;
  // At home: the batch is over in which its function ran; what that failed with, if it did. It goes on its way.
  virtual void end_batch(home_base&, const std::exception_ptr&) noexcept {}
  // Of one that waits for that: what is to be destroyed at home, if anything. A lock is held.
  virtual home_task* take_result_home() noexcept { return nullptr; }

 protected:
  ~any_operation() = default;
};

// An operation whose handler is called on the execution context that it came from.
class operation_task : public any_operation {
 public:
  // In which of its context's lanes it goes back: that of the thread which started it.
  unsigned char lane() const noexcept { return lane_; }

  // On a thread of that context. The last thing to be done with the task; throws what the handler throws.
  virtual void arrive() = 0;
  // On the handler's executor, the same. Or that executor destroyed the function that was to do it.
  virtual void complete() = 0;
  virtual void lost() noexcept = 0;
  // That context is being shut down: sends the result home.
  virtual void salvage_result() noexcept = 0;
  // Destroys the handler, and the operation with it.
  virtual void drop() noexcept = 0;

 protected:
  ~operation_task() = default;

  unsigned char lane_ = 0;
};

// Tasks in the order in which they were pushed.
class task_list {
 public:
  task_list() = default;
  // From the newest-first chain that a mailbox is.
  explicit task_list(task_link* newest) noexcept : last_(newest) {
    while (newest) {
      task_link* const older = newest->next;
      newest->next = first_;
      first_ = newest;
      operations_ += static_cast<home_task*>(newest)->is_operation();
      newest = older;
    }
  }
  task_list(task_list&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(other.last_), operations_(other.operations_) {}
  task_list& operator=(task_list&& other) noexcept {
    first_ = std::exchange(other.first_, nullptr);
    last_ = other.last_;
    operations_ = other.operations_;
    return *this;
  }

  bool empty() const noexcept { return !first_; }
  // How many of the tasks that came from the mailbox were operations.
  std::size_t operations() const noexcept { return operations_; }

  // Must not be empty.
  home_task& front() const noexcept { return static_cast<home_task&>(*first_); }

  // Must not be empty. The task's link is not used any more.
  home_task& pop() noexcept {
    auto& task = static_cast<home_task&>(*first_);
    first_ = task.next;
    prefetch(first_);
    return task;
  }

  void push_back(home_task& task) noexcept {
    task.next = nullptr;
    (first_ ? last_->next : first_) = &task;
    last_ = &task;
  }

  void append(task_list&& list) noexcept {
    if (list.empty()) return;
    (first_ ? last_->next : first_) = std::exchange(list.first_, nullptr);
    last_ = list.last_;
  }

 private:
  task_link* first_ = nullptr;
  task_link* last_ = nullptr;  // If not empty.
  std::size_t operations_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_TASK_HPP
