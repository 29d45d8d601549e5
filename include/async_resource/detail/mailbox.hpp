// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_MAILBOX_HPP
#define ASYNC_RESOURCE_DETAIL_MAILBOX_HPP

#include <atomic>
#include <system_error>
#include <utility>

namespace asyncres {
inline namespace v0 {
namespace detail {

class home_base;

struct mailbox_link {
  mailbox_link* next = nullptr;
};

// Something to be done at home. It owns itself: exactly one of the three is called, once.
class home_task : public mailbox_link {
 public:
  // At home.
  virtual void run(home_base& home) noexcept = 0;
  // Home has been shut down; in the thread that did it.
  virtual void abandon() noexcept = 0;
  // Home lives, but could not be told of the task.
  virtual void fail(std::error_code error) noexcept = 0;

 protected:
  ~home_task() = default;
};

// A list of tasks, in the order in which they were pushed.
class task_list {
 public:
  task_list() = default;
  // From the newest-first chain that a mailbox is.
  explicit task_list(mailbox_link* newest) noexcept {
    while (newest) {
      mailbox_link* const older = newest->next;
      newest->next = first_;
      first_ = newest;
      newest = older;
    }
  }

  bool empty() const noexcept { return !first_; }
  // Must not be empty. The task's link is not used any more.
  home_task& pop() noexcept { return static_cast<home_task&>(*std::exchange(first_, first_->next)); }

 private:
  mailbox_link* first_ = nullptr;
};

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

  pushed push(home_task& task) noexcept {
    mailbox_link* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == &closed_) return pushed::refused;
      task.next = head == &idle_ ? nullptr : head;
    } while (!head_.compare_exchange_weak(head, &task, std::memory_order_acq_rel, std::memory_order_relaxed));
    return head == &idle_ ? pushed::first : pushed::queued;
  }

  // By the receiver, while scheduled.
  task_list take() noexcept { return task_list(head_.exchange(nullptr, std::memory_order_acquire)); }

  bool try_idle() noexcept {
    mailbox_link* empty = nullptr;
    return head_.compare_exchange_strong(empty, &idle_, std::memory_order_release, std::memory_order_relaxed);
  }

  task_list close() noexcept {
    mailbox_link* const head = head_.exchange(&closed_, std::memory_order_acq_rel);
    return task_list(head == &idle_ || head == &closed_ ? nullptr : head);
  }

 private:
  inline static mailbox_link idle_;
  inline static mailbox_link closed_;

  std::atomic<mailbox_link*> head_{&idle_};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_MAILBOX_HPP
