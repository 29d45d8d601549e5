// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_BASE_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_BASE_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/detail/cache.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/drain_stage.hpp>
#include <async_resource/detail/drop_watch.hpp>
#include <async_resource/detail/mailbox.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// How much a visit to the strand may do, so that other work on it gets its turn. Reads a clock only if it has to.
class visit_budget {
 public:
  explicit visit_budget(const resource_options& options) noexcept
      : functions_(options.quantum), timed_(options.max_visit.count() > 0) {
    if (timed_) end_ = clock::now() + options.max_visit;
  }

  bool spent() const noexcept { return used_ >= functions_ || (timed_ && used_ > 0 && clock::now() >= end_); }
  void use() noexcept { ++used_; }

 private:
  using clock = std::chrono::steady_clock;

  std::size_t functions_;
  std::size_t used_ = 0;
  bool timed_;
  clock::time_point end_{};
};

// Where a resource lives: its queue, and the drain that runs what is queued, one visit to the strand after another.
//
// Owners are counted: handles, operations until it is clear that their result need not come back, and the queue itself
// while it is busy. When the last one goes, a retirement is posted to the strand, and destroys the resource there. A home
// whose context is shut down first destroys the resource then, refuses tasks from there on, and keeps only its memory
// for the owners.
//
// What becomes of a drain, from the push that finds the mailbox idle:
//
//   posted --> running --> idle          all was run, and the queue gives up its ownership
//                      --> posted        the visit was full
//   posted --> dropped                   on_drain_dropped(): the context goes, the queue is abandoned
//   not posted: execute threw            take_back(): the caller keeps its task, others fail
//   not posted: execute dropped it       abandoned as if the context went; drop_watch tells it from the above
class home_base : public context_member {
 public:
  // False: home has been shut down, and the task is still the caller's. It also is if the call throws, as it does when
  // the executor cannot be told.
  bool submit(home_task& task) {
    if (mailbox_.try_push(task)) return true;
    add_owner();  // Before the push: a shutdown may take the task at once, and its owner with it.
    switch (mailbox_.push(task)) {
      case mailbox::pushed::refused: return release_owners(1), false;
      case mailbox::pushed::queued: return release_owners(1), true;
      case mailbox::pushed::first: break;
    }
    drop_watch watch(this);
    try {
      // Not pinned any more below: what is destroyed there may own the context.
      if (const auto alive = pin())
        post_drain();
      else
        return release_owners(1), true;  // The shutdown that is under way finds the task in the mailbox.
    } catch (...) {
      take_back(task, watch.dropped());
      throw;
    }
    if (!watch.dropped()) return true;
    abandon_queue(&task);
    release_owners(1);
    return false;
  }

  // An executor that cannot even be told is the same as none.
  bool try_submit(home_task& task) noexcept {
    try {
      return submit(task);
    } catch (...) {
      return false;
    }
  }

  context_pin pin() const noexcept { return context_pin(registry_); }

  void add_owner() noexcept {
    // Relaxed: whoever adds an owner is one, or the busy queue's drain, and has synchronised already.
    owners_.fetch_add(1, std::memory_order_relaxed);
  }

  void release_owners(std::size_t n) noexcept {
    // Release what these owners did; acquire, in the last one, what all others did.
    if (owners_.fetch_sub(n, std::memory_order_acq_rel) == n) retire();
  }

  // For tasks, while they are run.
  drain_stage& stage() noexcept { return stage_; }
  // Instead of releasing an owner at once: all together, at the end of the visit.
  void owner_came_back() noexcept { ++returned_owners_; }

  // The context of `origin` is shut down: takes from every home what is on its way there. Functions that were queued
  // stay queued. What is returned has to be dropped, by a thread that holds no lock.
  static task_list evict_from_all(const homebound& origin) noexcept {
    task_list orphans;
    std::lock_guard lock(all_mutex_);
    for (home_base* home = all_; home; home = home->next_home_) home->evict(origin, orphans);
    return orphans;
  }

 protected:
  home_base(std::shared_ptr<context_registry> registry, const resource_options& options)
      : registry_(std::move(registry)), options_(options) {
    options_.quantum = std::max<std::size_t>(1, options_.quantum);
    std::lock_guard lock(all_mutex_);
    next_home_ = all_;
    if (all_) all_->previous_home_ = this;
    all_ = this;
  }

  ~home_base() {
    std::lock_guard lock(all_mutex_);
    (previous_home_ ? previous_home_->next_home_ : all_) = next_home_;
    if (next_home_) next_home_->previous_home_ = previous_home_;
  }

  void enrol() noexcept {
    if (registry_) registry_->enrol(*this);
  }

  // The executor will never run the scheduled drain.
  void on_drain_dropped() noexcept {
    if (!drop_watch::notice(this)) give_up();
  }

  // One visit to the strand.
  void drain() noexcept {
    stage_.begin_visit();
    for (visit_budget budget(options_);;) {
      if (pending_.empty()) pending_ = mailbox_.take();
      if (pending_.empty()) {
        if (!mailbox_.try_idle()) continue;
        return end_visit(1);
      }
      if (budget.spent()) {
        stage_.end_visit();
        const std::size_t returned = std::exchange(returned_owners_, 0);
        const bool posted = try_post_drain();
        if (returned > 0) release_owners(returned);
        if (posted) return;
        stage_.begin_visit();
        budget = visit_budget(options_);
      }
      budget.use();
      pending_.pop().run(*this);
    }
  }

  void on_context_shutdown() noexcept final {
    abandon_queue(nullptr);
    destroy_resource();
  }

  virtual void post_drain() = 0;
  virtual void post_retirement() = 0;
  virtual void destroy_resource() noexcept = 0;

 private:
  void end_visit(std::size_t owners) noexcept {
    owners += std::exchange(returned_owners_, 0);
    stage_.end_visit();
    if (owners > 0) release_owners(owners);
  }

  bool try_post_drain() noexcept {
    drop_watch watch(this);
    try {
      post_drain();
    } catch (...) {
      return false;  // No memory for a visit of its own: this one goes on.
    }
    if (watch.dropped()) give_up();
    return true;
  }

  // Home has been shut down with a drain scheduled.
  void give_up() noexcept {
    abandon_queue(nullptr);
    release_owners(1);
  }

  // The executor threw: it has not been told of the task, nor of those that were pushed behind it in the meantime.
  void take_back(const home_task& task, bool dropped) noexcept {
    stage_.begin_visit();
    const auto fail_others = [&](task_list list) {
      for (pending_.append(std::move(list)); !pending_.empty();)
        if (home_task& next = pending_.pop(); &next != &task)
          next.fail(make_error_code(std::errc::not_enough_memory), this);
    };
    if (dropped) {
      do fail_others(mailbox_.take());
      while (!mailbox_.try_idle());
      end_visit(1);
    } else {
      // An asio::strand does not survive an executor that throws when it schedules itself: it keeps the drain, and will
      // never run anything again. The drain gives up its ownership when the strand goes.
      fail_others(mailbox_.close());
      end_visit(0);
    }
  }

  void abandon_queue(const home_task* except) noexcept {
    stage_.begin_visit();
    pending_.append(mailbox_.close());
    while (!pending_.empty())
      if (home_task& next = pending_.pop(); &next != except) next.abandon(this);
    stage_.end_visit();
  }

  void evict(const homebound& origin, task_list& orphans) noexcept {
    drain_stage::eviction eviction(stage_);
    if (home_task* const running = eviction.running(); running && running->origin() == &origin) {
      eviction.take_running();
      orphans.push_back(*running);
    }
    task_list queue = std::move(pending_);
    queue.append(mailbox_.take());
    while (!queue.empty()) {
      home_task& task = queue.pop();
      if (task.origin() != &origin) {
        pending_.push_back(task);
        continue;
      }
      if (home_task* const function = static_cast<operation_task&>(task).salvage_function())
        pending_.push_back(*function);
      orphans.push_back(task);
    }
  }

  void retire() noexcept {
    if (context_pin pin(registry_, *this); pin) {
      try {
        post_retirement();
      } catch (...) {
        // The executor could not take the retirement. Dropping it has destroyed this home, or will.
      }
    } else {
      context_registry::leave(registry_, *this);
    }
  }

  const std::shared_ptr<context_registry> registry_;

  // For those who submit.
  alignas(cache_line) std::atomic<std::size_t> owners_{1};
  mailbox mailbox_;

  // For the drain.
  alignas(cache_line) drain_stage stage_;
  task_list pending_;  // Taken from the mailbox and not yet run.
  std::size_t returned_owners_ = 0;
  resource_options options_;

  inline static constinit std::mutex all_mutex_;
  inline static constinit home_base* all_ = nullptr;
  home_base* previous_home_ = nullptr;
  home_base* next_home_ = nullptr;
};

// While it lives, a thread that drains the home, if there is one, runs the user's code, which may destroy execution
// contexts, or wait for somebody who does.
class [[nodiscard]] user_code {
 public:
  explicit user_code(home_base* draining) noexcept : home_(draining) {
    if (home_) home_->stage().enter();
  }
  user_code(const user_code&) = delete;
  user_code& operator=(const user_code&) = delete;
  ~user_code() {
    if (home_) home_->stage().leave();
  }

 private:
  home_base* home_;
};

// An owner of a home.
template <class Home>
class home_ref {
 public:
  home_ref() = default;
  // Adopts the owner that a new home starts with.
  explicit home_ref(Home* home) noexcept : home_(home) {}
  home_ref(const home_ref& other) noexcept : home_(other.home_) {
    if (home_) home_->add_owner();
  }
  home_ref(home_ref&& other) noexcept : home_(std::exchange(other.home_, nullptr)) {}
  home_ref& operator=(home_ref other) noexcept {
    std::swap(home_, other.home_);
    return *this;
  }
  ~home_ref() {
    if (home_) home_->release_owners(1);
  }

  template <class Base>
    requires std::is_base_of_v<Base, Home>
  operator home_ref<Base>() const noexcept {
    if (home_) home_->add_owner();
    return home_ref<Base>(home_);
  }

  // The owner that this was is now somebody else's to release.
  Home* release() noexcept { return std::exchange(home_, nullptr); }

  Home* operator->() const noexcept { return home_; }
  Home& operator*() const noexcept { return *home_; }
  explicit operator bool() const noexcept { return home_; }
  friend bool operator==(const home_ref& a, const home_ref& b) noexcept { return a.home_ == b.home_; }

 private:
  Home* home_ = nullptr;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_BASE_HPP
