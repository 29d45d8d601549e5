// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_POOL_QUEUE_HPP
#define ASYNC_RESOURCE_DETAIL_POOL_QUEUE_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/counter.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What is queued in a pool, for any of its members. Guarded by the pool's mutex, but for the two members that count.
class pool_queue {
 public:
  using clock = std::chrono::steady_clock;

  explicit pool_queue(const resource_options& options) noexcept
      : limit_(options.max_pending),
        bounded_(options.max_pending != unlimited && options.full == when_full::reject),
        stamps_time_(options.time_operations || options.max_wait.count() > 0),
        max_wait_(std::chrono::ceil<clock::duration>(options.max_wait)) {}

  [[nodiscard]] bool take_place() noexcept {
    if (bounded_ && places_ >= limit_) return false;
    ++places_;
    return true;
  }
  void give_back_place() noexcept { --places_; }

  bool empty() const noexcept { return queued_ == 0; }

  // With a place.
  void push(home_task& task) noexcept {
    task_stamp stamp;
    stamp.epoch = epoch_;
    if (stamps_time_) stamp.time = clock::now();
    task.set_stamp(stamp);
    tasks_.push_back(task);
    ++came_;
    high_water_ = std::max(high_water_, ++queued_);
  }

  // Must not be empty.
  home_task& pop() noexcept {
    leave();
    return (overdue_.empty() ? tasks_ : overdue_).pop();
  }

  task_list take_all() noexcept {
    while (queued_ > 0) leave();
    task_list all = std::move(overdue_);
    all.append(std::move(tasks_));
    return all;
  }

  std::error_code refusal_of(const home_task& task) const noexcept {
    if (task.stamp().epoch != epoch_) return asio::error::operation_aborted;
    if (max_wait_.count() > 0 && clock::now() >= task.stamp().time + max_wait_) return errc::timed_out_queued;
    return {};
  }

  // Those that are queued are to be refused.
  void begin_epoch() noexcept { ++epoch_; }

  // From here on only that home's cancellations concern the task.
  static void hand_over(home_task& task, const home_base& home) noexcept {
    const auto since = task.stamp().time;
    home.stamp(task, 0);
    task_stamp stamp = task.stamp();
    stamp.time = since;
    task.set_stamp(stamp);
  }

  // Takes the next operation out that has waited for too long, or says when there will be one. What is left of it
  // stays.
  clock::time_point take_overdue(any_operation*& overdue) noexcept {
    for (const auto now = clock::now(); !tasks_.empty() && !overdue;) {
      home_task& task = tasks_.front();
      if (now < task.stamp().time + max_wait_) return task.stamp().time + max_wait_;
      tasks_.pop();
      const home_task::parts parts = task.take_apart(false);
      overdue = parts.operation;
      if (parts.remainder)
        overdue_.push_back(*parts.remainder);
      else
        leave();
    }
    return clock::time_point::max();
  }

  void note_turned_away() noexcept { turned_away_.add(1); }
  void note_refused(std::error_code error) noexcept {
    if (error == asio::error::operation_aborted || error == errc::timed_out_queued)
      cancelled_.add(1);
    else
      rejected_.add(1);
  }

  // Adds what it has to tell.
  void read(resource_stats& stats) const noexcept {
    stats.queued += std::min(queued_, limit_);
    stats.high_water += std::min(high_water_, limit_);
    stats.submitted += came_ + turned_away_.get();
    stats.cancelled += cancelled_.get();
    stats.rejected += rejected_.get() + turned_away_.get();
  }

 private:
  void leave() noexcept {
    --queued_;
    --places_;
  }

  const std::size_t limit_;
  const bool bounded_, stamps_time_;
  const clock::duration max_wait_;
  task_list tasks_, overdue_;  // The latter first: what the expiry has been through.
  std::size_t places_ = 0, queued_ = 0, high_water_ = 0;
  std::uint32_t epoch_ = 1;
  std::uint64_t came_ = 0;
  shared_counter turned_away_, cancelled_, rejected_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_POOL_QUEUE_HPP
