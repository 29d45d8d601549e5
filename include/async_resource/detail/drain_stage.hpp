// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_DRAIN_STAGE_HPP
#define ASYNC_RESOURCE_DETAIL_DRAIN_STAGE_HPP

#include <atomic>
#include <thread>

#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Who has a home's queue, and the task taken from it last: its drain, or an eviction by an execution context that is
// shut down in another thread, perhaps while a function runs at home, which may take for ever. Whoever else looks into
// the queue does it as an eviction.
//
//   idle       --begin_visit--> draining     drain, or whoever acts in its place: see home_base
//   draining   --end_visit--> idle           drain
//   draining   --enter--> the task           drain: user code runs, and neither the queue nor the task is touched
//   the task   --leave--> draining           drain: the task is its own again
//   idle, the task  --evict--> evicting      eviction, which waits while another has the queue
//   evicting   --put_back--> what it was     eviction
//              --put_back--> orphaned        eviction: it has taken that task, too
//   orphaned   --leave--> draining           drain, told that the task is gone
//
// Ordering: each transition releases what was done to queue and task, and acquires what the other side did.
class drain_stage {
 public:
  void begin_visit() noexcept { (void)take_from(&idle_, false); }
  void end_visit() noexcept { stage_.store(&idle_, std::memory_order_release); }

  // Without a task: for user code that is not an operation's.
  void enter(home_task& task) noexcept { stage_.store(&task, std::memory_order_release); }
  void enter() noexcept { stage_.store(&user_code_, std::memory_order_release); }

  // False if an eviction has taken the task.
  bool leave(home_task& task) noexcept { return take_from(&task, true); }
  void leave() noexcept { (void)take_from(&user_code_, false); }

  // What it was: the task whose function is running, or null.
  class eviction {
   public:
    explicit eviction(drain_stage& stage) noexcept : stage_(stage) {
      for (;;) {
        was_ = stage_.stage_.load(std::memory_order_relaxed);
        if (was_ != &draining_ && was_ != &evicting_ &&
            stage_.stage_.compare_exchange_weak(was_, &evicting_, std::memory_order_acquire, std::memory_order_relaxed))
          return;
        std::this_thread::yield();
      }
    }
    eviction(const eviction&) = delete;
    eviction& operator=(const eviction&) = delete;
    ~eviction() { stage_.stage_.store(was_, std::memory_order_release); }

    home_task* running() const noexcept {
      return was_ == &idle_ || was_ == &user_code_ || was_ == &orphaned_ ? nullptr : static_cast<home_task*>(was_);
    }
    void take_running() noexcept { was_ = &orphaned_; }

   private:
    drain_stage& stage_;
    task_link* was_ = nullptr;
  };

 private:
  bool take_from(task_link* wanted, bool or_orphaned) noexcept {
    for (task_link* stage = wanted;;) {
      if (stage_.compare_exchange_weak(stage, &draining_, std::memory_order_acquire, std::memory_order_relaxed))
        return stage == wanted;
      if (stage == &orphaned_ && or_orphaned) continue;
      if (stage != wanted) std::this_thread::yield();
      stage = wanted;
    }
  }

  inline static task_link idle_;
  inline static task_link draining_;
  inline static task_link user_code_;
  inline static task_link evicting_;
  inline static task_link orphaned_;

  std::atomic<task_link*> stage_{&idle_};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_DRAIN_STAGE_HPP
