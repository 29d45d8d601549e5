// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_MAILBOX_HPP
#define ASYNC_RESOURCE_DETAIL_MAILBOX_HPP

#include <atomic>

#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The tasks on their way to a home: a lock-free stack for many senders and one receiver.
//
//   idle       --push--> scheduled     that push, and no other, has to schedule the receiver
//   scheduled  --try_idle--> idle      by the receiver, and only if nothing was pushed meanwhile
//   any        --close--> closed       refuses from then on
//
// Ordering: a push releases what it wrote to its task, and take() acquires it. From idle, a push also acquires what
// the last receiver released with try_idle(), since its thread may have to act as the receiver when scheduling fails.
class mailbox {
 public:
  enum class pushed { queued, first, refused };

  mailbox() = default;
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  // Only if scheduled. The receiver may be through with the task, and this destroyed, before the call returns.
  bool try_push(home_task& task) noexcept {
    task_link* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == &idle_ || head == &closed_) return false;
      task.next = head;
    } while (!head_.compare_exchange_weak(head, &task, std::memory_order_release, std::memory_order_relaxed));
    return true;
  }

  pushed push(home_task& task) noexcept {
    task_link* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == &closed_) return pushed::refused;
      task.next = head == &idle_ ? nullptr : head;
    } while (!head_.compare_exchange_weak(head, &task, std::memory_order_acq_rel, std::memory_order_relaxed));
    return head == &idle_ ? pushed::first : pushed::queued;
  }

  // By the receiver, or by an eviction; empty unless scheduled.
  task_list take() noexcept {
    task_link* head = head_.load(std::memory_order_relaxed);
    do {
      if (!head || head == &idle_ || head == &closed_) return {};
    } while (!head_.compare_exchange_weak(head, nullptr, std::memory_order_acquire, std::memory_order_relaxed));
    return task_list(head);
  }

  bool try_idle() noexcept {
    task_link* empty = nullptr;
    return head_.compare_exchange_strong(empty, &idle_, std::memory_order_release, std::memory_order_relaxed);
  }

  task_list close() noexcept {
    task_link* const head = head_.exchange(&closed_, std::memory_order_acq_rel);
    return task_list(head == &idle_ || head == &closed_ ? nullptr : head);
  }

 private:
  inline static task_link idle_;
  inline static task_link closed_;

  std::atomic<task_link*> head_{&idle_};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_MAILBOX_HPP
