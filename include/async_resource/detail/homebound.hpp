// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP
#define ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/cache.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What a function threw that an executor of Asio's ran inside `execute`, such as the end of a coroutine: Asio keeps it until
// the function that runs now, here a delivery, has returned, and would make one exception of all that a delivery leaves.
inline void rethrow_pending_exception() {
  if (auto* const thread = asio::detail::thread_context::top_of_thread_call_stack())
    thread->rethrow_pending_exception();
}

// The operations on their way back to one execution context. Homes push them, one by one; deliveries, posted to the
// context, call their handlers.
//
// At most one delivery is posted and has not started. It is posted by the push that finds the mailbox empty, and by a
// delivery that leaves something to others, before it calls a handler: another thread of the context can share the work.
// A delivery takes a few operations at a time, one if there are few, so that a handler which waits holds up nobody while
// there are threads to spare.
//
//   head_     pushed, newest first; lock-free
//   ready_    taken from there, in order; guarded by mutex_
//   posted_   a delivery is on its way, and will look at both
//
// Ordering: a push releases the operation, and the delivery that takes it acquires. `posted_` is exchanged on both
// sides, after the push and before the taking: whichever comes second sees what the other did. So a delivery also sees,
// without more ado, whether something was pushed that relies on it.
class homebound {
 public:
  homebound(const homebound&) = delete;
  homebound& operator=(const homebound&) = delete;

  // The context is being shut down: nothing can be delivered any more.
  bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }

  // By a thread that keeps the context from being shut down: one that drains a home which has been given the operation
  // (see home_base::evict), or one that initiates an operation.
  void push(operation_task& task) noexcept {
    task_link* head = head_.load(std::memory_order_relaxed);
    do task.next = head;
    while (!head_.compare_exchange_weak(head, &task, std::memory_order_release, std::memory_order_relaxed));
    if (!head) post_once();
  }

 protected:
  homebound() = default;
  ~homebound() = default;

  // Calls deliver() on the context, in memory set aside.
  virtual void post_delivery() noexcept = 0;

  // Throws what a handler throws.
  void deliver() {
    posted_.exchange(false, std::memory_order_acq_rel);
    for (std::size_t left = visit; left > 0;) {
      batch taken(*this, left);
      if (taken.empty()) return;
      left -= taken.size();
      while (!taken.empty()) {
        taken.pop().arrive();
        rethrow_pending_exception();
      }
    }
  }

  // Relaxed: an operation that is initiated on a context while that goes is initiated by what its shutdown destroys.
  void close() noexcept { closed_.store(true, std::memory_order_relaxed); }

  // The context is shut down, and no home has anything for it any more.
  task_list take_all() noexcept {
    task_list all = std::move(ready_);
    all.append(task_list(head_.exchange(nullptr, std::memory_order_acquire)));
    return all;
  }

 private:
  // Handlers a delivery, so that other work on the context gets its turn.
  static constexpr std::size_t visit = 64;
  // A delivery takes one operation at a time as long as fewer than twice this many wait.
  static constexpr std::size_t share = 16;

  // What one thread has taken. If a handler throws, the rest goes back to where it was.
  class batch {
   public:
    batch(homebound& from, std::size_t limit) noexcept : from_(from) {
      {
        std::lock_guard lock(from.mutex_);
        task_list& ready = from.ready_;
        if (ready.empty()) ready = task_list(from.head_.exchange(nullptr, std::memory_order_acquire));
        const std::size_t some = std::min(limit, std::max<std::size_t>(1, ready.size() / share));
        while (!ready.empty() && tasks_.size() < some) tasks_.push_back(ready.pop());
        if (ready.empty() && !from.head_.load(std::memory_order_relaxed)) return;
      }
      from.post_once();
    }
    batch(const batch&) = delete;
    batch& operator=(const batch&) = delete;
    ~batch() {
      if (tasks_.empty()) return;
      {
        std::lock_guard lock(from_.mutex_);
        tasks_.append(std::move(from_.ready_));
        from_.ready_ = std::move(tasks_);
      }
      from_.post_once();
    }

    bool empty() const noexcept { return tasks_.empty(); }
    std::size_t size() const noexcept { return tasks_.size(); }
    operation_task& pop() noexcept { return static_cast<operation_task&>(tasks_.pop()); }

   private:
    homebound& from_;
    task_list tasks_;
  };

  void post_once() noexcept {
    if (!posted_.exchange(true, std::memory_order_acq_rel)) post_delivery();
  }

  std::atomic<bool> closed_{false};

  // For the homes.
  alignas(cache_line) std::atomic<task_link*> head_{nullptr};

  // For the deliveries.
  alignas(cache_line) std::atomic<bool> posted_{false};
  std::mutex mutex_;
  task_list ready_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP
