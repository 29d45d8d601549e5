// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_OCCUPANCY_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_OCCUPANCY_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <thread>
#include <utility>

#include <async_resource/detail/cache.hpp>
#include <async_resource/detail/drain_stage.hpp>
#include <async_resource/detail/home_gate.hpp>
#include <async_resource/detail/home_queue.hpp>
#include <async_resource/detail/places.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Who keeps a home from going on: a lease, behind which all others wait, and the guests that a resource must outlive,
// for which its closing waits.
//
// Closing: a task that waits for it, once its turn has come, shuts the gate for all operations behind it, and is
// parked. When the last guest, an object of a home_ptr, has gone too, the resource is destroyed, and what was parked
// goes on.
class home_occupancy {
 public:
  // For tasks, while they are run.
  drain_stage& stage() noexcept { return stage_; }

  // In the initiating function: whether one more operation may be queued. It then has to be, or give_back_place().
  std::error_code admit() noexcept {
    if (!gate_.admits()) [[unlikely]]
      return errc::closed;
    if (!places_.take()) return errc::queue_full;
    return {};
  }
  void give_back_place() noexcept { places_.give_back(); }
  bool bounded() const noexcept { return places_.bounded(); }

  // Before it is submitted.
  void stamp(home_task& task, std::uint32_t lease) const noexcept { task.set_stamp(gate_.stamp(lease)); }

  // How many cancellations of all there have been.
  std::uint32_t epoch() const noexcept { return gate_.epoch(); }

  // From here on nothing is admitted.
  void begin_close() noexcept { gate_.stop_admission(); }
  bool closed() const noexcept { return gate_.closed(); }

  // At home, from within a function: refuses all that follow.
  void poison() noexcept { gate_.poison(); }

  // At home: an object that the resource must outlive. The latter in the stage `draining`.
  void add_guest() noexcept { guests_.fetch_add(1, std::memory_order_relaxed); }
  void remove_guest() noexcept {
    guests_.fetch_sub(1, std::memory_order_relaxed);
    finish_close();
  }
  // It was destroyed with what was queued.
  void forget_guest() noexcept { guests_.fetch_sub(1, std::memory_order_acq_rel); }
  // Elsewhere: home could not be told of the object's end. What waits for it cannot be done at home either.
  void lose_guest() noexcept {
    task_list stranded;
    {
      const drain_stage::eviction look(stage_);
      // Release what was done to the object; acquire, here, what home did to it.
      if (guests_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        stranded = queue_.take_parked();
        if (!stranded.empty()) let_rest();
      }
    }
    while (!stranded.empty()) stranded.pop().fail(make_error_code(std::errc::not_enough_memory), nullptr);
  }

  std::uint32_t next_lease() noexcept { return queue_.next_lease(); }
  // At home, from within a function: from when that has returned, only what belongs to that lease runs.
  void begin_lease(std::uint32_t lease) noexcept {
    begun_lease_ = lease;
    noted_ = true;
  }
  // At home, in the stage `draining`.
  void end_lease(std::uint32_t lease) noexcept {
    leased_.store(false, std::memory_order_relaxed);
    queue_.release(lease);
    if (!gate_.closing()) let_rest();
  }
  // Elsewhere: home could not be told that the lease has ended.
  void lose_lease(std::uint32_t lease) noexcept {
    const drain_stage::eviction look(stage_);
    queue_.release(lease);
  }
  // The thread that blocked to get the lease, or last blocked on its operations, had better not wait for others to have
  // their turn. No thread: none did.
  void note_leaseholder(std::thread::id thread) noexcept { leaseholder_.store(thread, std::memory_order_relaxed); }
  bool lease_is_this_threads() const noexcept {
    return leaseholder_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

 protected:
  explicit home_occupancy(const resource_options& options) noexcept : gate_(options), places_(options) {}
  ~home_occupancy() = default;

  // Only the resource: home goes on.
  virtual void vacate() noexcept = 0;
  // The context, while something waits that will go on at home.
  virtual void keep_at_work() noexcept = 0;
  virtual void let_rest() noexcept = 0;

  // At home, in the stage `draining`, from here on. Parks the task until the resource is closed, which it may be at
  // once.
  void park_until_closed(home_task& task) noexcept {
    gate_.begin_close();
    keep_at_work();
    queue_.park(task);
    finish_close();
  }

  // What a function has begun takes hold.
  void hold() noexcept {
    if (begun_lease_ == 0) return;
    queue_.hold(std::exchange(begun_lease_, 0));
    gate_.check_all();
    keep_at_work();
    // Either this sees a new epoch, or whoever began that sees the lease.
    leased_.store(true, std::memory_order_seq_cst);
    queue_.let_cancelled_go(gate_.epoch());
  }
  // By any thread that has begun an epoch: whether it is to have home look behind a lease.
  bool leased() const noexcept { return leased_.load(std::memory_order_seq_cst); }
  void look_behind_lease() noexcept {
    if (queue_.held() != 0) queue_.let_cancelled_go(gate_.epoch());
  }

  // Mostly read.
  home_gate gate_;
  std::atomic<std::thread::id> leaseholder_{};
  std::atomic<bool> leased_{false};

  // For those who submit and the drain, if it is bounded.
  alignas(cache_line) places places_;

  // For the drain.
  alignas(cache_line) drain_stage stage_;
  home_queue queue_{places_};
  bool noted_ = false;  // A function has done something for the drain to see to.
  std::uint32_t begun_lease_ = 0;
  std::atomic<std::size_t> guests_{0};

 private:
  void finish_close() noexcept {
    // Acquire what was done to objects that went elsewhere.
    if (!gate_.closing() || guests_.load(std::memory_order_acquire) > 0) return;
    gate_.end_close();
    stage_.enter();
    vacate();
    stage_.leave();
    let_rest();
    queue_.unpark();
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_OCCUPANCY_HPP
