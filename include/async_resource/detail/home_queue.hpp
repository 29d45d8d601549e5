// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_QUEUE_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_QUEUE_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/counter.hpp>
#include <async_resource/detail/homebound.hpp>
#include <async_resource/detail/places.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What has come to a home and is not through. Guarded by the home's drain_stage: the drain has it, or an eviction.
//
//   pending_   may run, in order
//   overdue_   before the others: what the expiry has been through
//   behind_    while a lease is held: what is not the lease's
//   early_     what is a lease's that is not held, not yet or not any more
//   finished_  has run, and waits for the end of its batch
//   parked_    waits for the resource to be closed
class home_queue {
 public:
  using clock = std::chrono::steady_clock;

  explicit home_queue(places& p) noexcept : places_(p) {}

  void accept(task_list mail) noexcept {
    if (mail.empty()) return;
    came_.add(mail.operations());
    if (const std::uint64_t queued = came_.get() - left_.get(); queued > high_water_.get()) high_water_.set(queued);
    // Relaxed: what belongs to a lease has come by way of the mailbox after the lease was counted.
    if (leases_.load(std::memory_order_relaxed) == 0) [[likely]]
      return pending_.append(std::move(mail));
    while (!mail.empty()) {
      home_task& task = mail.pop();
      list_of(task.stamp().lease).push_back(task);
    }
  }

  // By any thread: a number for a lease, neither 0 nor task_stamp::anytime.
  std::uint32_t next_lease() noexcept {
    std::uint32_t lease = 0;
    while (lease == 0 || lease == task_stamp::anytime) lease = leases_.fetch_add(1, std::memory_order_relaxed) + 1;
    return lease;
  }

  // Nothing may run.
  bool empty() const noexcept { return pending_.empty(); }

  // Must not be empty.
  home_task& pop() noexcept {
    home_task& task = pending_.pop();
    if (task.is_operation()) leave(task);
    return task;
  }

  // Before the drain looks: whether there is something to put in its place.
  bool unsettled() const noexcept { return unsettled_; }
  void settle() noexcept {
    unsettled_ = false;
    take_up_overdue();
    if (held_ == 0) pending_.append(std::move(early_));
  }

  // Only that lease's tasks run from here on, until release().
  void hold(std::uint32_t lease) noexcept {
    take_up_overdue();
    behind_ = std::move(pending_);
    pending_ = std::move(early_);
    held_ = lease;
  }
  void release(std::uint32_t lease) noexcept {
    if (held_ != lease) return;
    take_up_overdue();
    held_ = 0;
    pending_.append(std::move(behind_));
  }
  std::uint32_t held() const noexcept { return held_; }

  // Lets what was submitted before that epoch go ahead of the lease: it will be refused.
  void let_cancelled_go(std::uint32_t epoch) noexcept {
    take_up_overdue();
    task_list rest;
    while (!behind_.empty()) {
      home_task& task = behind_.pop();
      (task.is_operation() && task.stamp().epoch != epoch ? pending_ : rest).push_back(task);
    }
    behind_ = std::move(rest);
  }

  void finish(home_task& task) noexcept { finished_.push_back(task); }
  // Null: that was all.
  home_task* pop_finished() noexcept { return finished_.empty() ? nullptr : &finished_.pop(); }

  void park(home_task& task) noexcept { parked_.push_back(task); }
  void unpark() noexcept { pending_.append(std::move(parked_)); }
  task_list take_parked() noexcept { return std::move(parked_); }

  // Everything may run, or be abandoned.
  void mingle() noexcept {
    release(held_);
    settle();
    unpark();
  }

  struct overdue_operation {
    any_operation* operation = nullptr;
    std::optional<context_pin> pin;  // Of its context.
  };

  // Takes the next operation out that has waited for longer than `limit`, or says when there will be one. What is left
  // of it stays.
  clock::time_point take_overdue(clock::duration limit, overdue_operation& overdue) noexcept {
    task_list& queue = waiting();
    for (const auto now = clock::now(); !queue.empty() && !overdue.operation;) {
      home_task& task = queue.front();
      if (task.is_operation() && now < task.stamp().time + limit) return task.stamp().time + limit;
      queue.pop();
      home_task::parts parts{nullptr, &task};
      if (task.is_operation() && task.pin_origin(overdue.pin)) parts = task.take_apart(false);
      overdue.operation = parts.operation;
      if (parts.remainder)
        overdue_.push_back(*parts.remainder), unsettled_ = true;
      else
        leave(task);
    }
    return clock::time_point::max();
  }

  // Takes out what goes back to that context, which is shut down. Functions that are queued stay.
  void evict(const homebound& origin, task_list& orphans) noexcept {
    for (task_list* const list : {&overdue_, &pending_, &behind_, &early_, &parked_})
      *list = without(origin, std::move(*list), orphans);
    task_list finished = std::move(finished_);
    while (!finished.empty()) {
      auto& operation = static_cast<any_operation&>(finished.pop());
      if (operation.origin() != &origin) {
        finished_.push_back(operation);
        continue;
      }
      if (home_task* const result = operation.take_result_home()) pending_.push_back(*result);
      orphans.push_back(operation);
    }
  }

  std::uint64_t came() const noexcept { return came_.get(); }
  std::uint64_t left() const noexcept { return left_.get(); }
  std::uint64_t high_water() const noexcept { return high_water_.get(); }

 private:
  // Where operations wait that are no lease's.
  task_list& waiting() noexcept { return held_ ? behind_ : pending_; }

  void take_up_overdue() noexcept {
    if (overdue_.empty()) return;
    overdue_.append(std::move(waiting()));
    waiting() = std::move(overdue_);
  }

  task_list& list_of(std::uint32_t lease) noexcept {
    if (lease == task_stamp::anytime) return pending_;
    if (lease == 0) return waiting();
    if (held_ != 0) return pending_;
    unsettled_ = true;
    return early_;
  }

  void leave(const home_task& task) noexcept {
    left_.add(1);
    if (places_.bounded() && task.stamp().lease == 0) places_.give_back();
  }

  task_list without(const homebound& origin, task_list queue, task_list& orphans) noexcept {
    task_list rest;
    while (!queue.empty()) {
      home_task& task = queue.pop();
      const bool is_operation = task.is_operation();
      home_task::parts parts{nullptr, &task};
      if (task.origin() == &origin) parts = task.take_apart(true);
      if (parts.operation) orphans.push_back(*parts.operation);
      if (parts.remainder)
        rest.push_back(*parts.remainder);
      else if (is_operation)
        leave(task);
    }
    return rest;
  }

  places& places_;
  task_list pending_, overdue_, behind_, early_, finished_, parked_;
  std::atomic<std::uint32_t> leases_{0};  // That there have been: without, nothing has to be sorted.
  std::uint32_t held_ = 0;
  bool unsettled_ = false;
  counter came_, left_, high_water_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_QUEUE_HPP
