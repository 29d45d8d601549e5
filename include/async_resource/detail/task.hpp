// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_TASK_HPP
#define ASYNC_RESOURCE_DETAIL_TASK_HPP

#include <cstddef>
#include <system_error>
#include <utility>

#include <async_resource/detail/cache.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

class home_base;
class homebound;

struct task_link {
  task_link* next = nullptr;
};

// Something to be done at home. It owns itself: exactly one of run, abandon and fail is called, once, or, for an
// operation, what eviction calls instead (home_base.hpp). All are called in the stage `draining`, and see to it that what
// is the user's runs outside of that (drain_stage.hpp); but for a null `draining`, where the task is in nobody's queue.
class home_task : public task_link {
 public:
  // At home.
  virtual void run(home_base& home) noexcept = 0;
  // Home has been shut down; in the thread that did it.
  virtual void abandon(home_base* draining) noexcept = 0;
  // Home lives, but could not be told of the task.
  virtual void fail(std::error_code error, home_base* draining) noexcept = 0;

  // Where the task goes from home: null for one that ends there, else it is an `operation_task`.
  homebound* origin() const noexcept { return origin_; }

 protected:
  home_task() = default;
  ~home_task() = default;

  homebound* origin_ = nullptr;
};

// An operation: a task with a handler, which is called on the execution context that it came from.
class operation_task : public home_task {
 public:
  // In which of its context's lanes it goes back: that of the thread which started it.
  unsigned char lane() const noexcept { return lane_; }

  // On a thread of that context. The last thing to be done with the task; throws what the handler throws.
  virtual void arrive() = 0;
  // On the handler's executor, the same. Or that executor destroyed the function that was to do it.
  virtual void complete() = 0;
  virtual void lost() noexcept = 0;
  // That context is being shut down. Gives what belongs to home, to be queued there: the function as long as that has
  // not started, the result later. Null if there is no such thing, or no memory to keep it in.
  virtual home_task* salvage_function() noexcept = 0;
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
    for (; newest; ++size_) {
      task_link* const older = newest->next;
      newest->next = first_;
      first_ = newest;
      newest = older;
    }
  }
  task_list(task_list&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(other.last_), size_(std::exchange(other.size_, 0)) {}
  task_list& operator=(task_list&& other) noexcept {
    first_ = std::exchange(other.first_, nullptr);
    last_ = other.last_;
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  bool empty() const noexcept { return !first_; }
  std::size_t size() const noexcept { return size_; }

  // Must not be empty. The task's link is not used any more.
  home_task& pop() noexcept {
    auto& task = static_cast<home_task&>(*first_);
    first_ = task.next;
    prefetch(first_);
    --size_;
    return task;
  }

  void push_back(home_task& task) noexcept {
    task.next = nullptr;
    (first_ ? last_->next : first_) = &task;
    last_ = &task;
    ++size_;
  }

  void append(task_list&& list) noexcept {
    if (list.empty()) return;
    (first_ ? last_->next : first_) = std::exchange(list.first_, nullptr);
    last_ = list.last_;
    size_ += std::exchange(list.size_, 0);
  }

 private:
  task_link* first_ = nullptr;
  task_link* last_ = nullptr;  // If not empty.
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_TASK_HPP
