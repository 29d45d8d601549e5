// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_POOL_QUEUE_HPP
#define ASYNC_RESOURCE_DETAIL_POOL_QUEUE_HPP

#include <chrono>
#include <cstddef>
#include <system_error>

#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_gate.hpp>
#include <async_resource/detail/home_queue.hpp>
#include <async_resource/detail/home_tally.hpp>
#include <async_resource/detail/places.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What is queued in a pool, for any of its members, and whether it still may run. Guarded by the pool's mutex, but for
// the places and what is counted.
class pool_queue {
 public:
  using clock = home_queue::clock;

  explicit pool_queue(const resource_options& options) noexcept
      : max_pending_(options.max_pending), gate_(options), places_(options) {}

  [[nodiscard]] bool take_place() noexcept { return places_.take(); }
  void give_back_place() noexcept { places_.give_back(); }

  clock::duration max_wait() const noexcept { return gate_.max_wait(); }

  bool empty() const noexcept { return queue_.empty() && !queue_.unsettled(); }

  // With a place.
  void push(home_task& task) noexcept {
    task.set_stamp(gate_.stamp());
    task.next = nullptr;
    queue_.accept(task_list(&task));
  }

  // Must not be empty.
  home_task& pop() noexcept {
    if (queue_.unsettled()) queue_.settle();
    return queue_.pop();
  }

  task_list take_all() noexcept {
    task_list all;
    while (!empty()) all.push_back(pop());
    return all;
  }

  std::error_code refusal_of(const home_task& task) const noexcept { return gate_.refusal_of(task); }

  // Those that are queued are to be refused.
  void begin_epoch() noexcept { gate_.begin_epoch(); }

  // From here on only that home's cancellations concern the task.
  static void hand_over(home_task& task, const home_base& home) noexcept {
    const auto since = task.stamp().time;
    home.stamp(task, 0);
    task_stamp stamp = task.stamp();
    stamp.time = since;
    task.set_stamp(stamp);
  }

  // See home_queue.
  clock::time_point take_overdue(home_queue::overdue_operation& overdue) noexcept {
    return queue_.take_overdue(gate_.max_wait(), overdue);
  }

  void note_turned_away() noexcept { tally_.note_turned_away(); }
  bool note_refused(std::error_code error) noexcept { return tally_.note_refused(error); }

  // Adds what it has to tell.
  void read(resource_stats& stats) const noexcept { tally_.read(stats, queue_, max_pending_); }

 private:
  const std::size_t max_pending_;
  home_gate gate_;
  places places_;
  home_queue queue_{places_};
  home_tally tally_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_POOL_QUEUE_HPP
