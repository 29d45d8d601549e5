// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_BASE_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_BASE_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/cache.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/drain_stage.hpp>
#include <async_resource/detail/drop_watch.hpp>
#include <async_resource/detail/expiry.hpp>
#include <async_resource/detail/home_list.hpp>
#include <async_resource/detail/home_occupancy.hpp>
#include <async_resource/detail/home_queue.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/home_tally.hpp>
#include <async_resource/detail/mailbox.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/visit_budget.hpp>
#include <async_resource/detail/wait_graph.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Where a resource lives: its queue, and the drain that runs what is queued, one visit to the strand after another.
//
// Owners are counted: handles, operations until it is clear that their result need not come back, and the queue itself
// while it is busy. When the last one goes, a retirement is posted to the strand, and destroys the resource there. A
// home whose context is shut down first destroys the resource then, refuses tasks from there on, and keeps only its
// memory for the owners.
//
// What becomes of a drain, from the push that finds the mailbox idle:
//
//   posted --> running --> idle          all was run, and the queue gives up its ownership
//                      --> posted        the visit was full
//   posted --> dropped                   on_drain_dropped(): the context goes, the queue is abandoned
//   not posted: execute threw            take_back(): the caller keeps its task, others fail
//   not posted: execute dropped it       abandoned as if the context went; drop_watch tells it from the above
class home_base : public context_member, public wait_graph::node, public home_occupancy {
 public:
  // False: home has been shut down, and the task is still the caller's. It also is if the call throws, as it does when
  // the executor cannot be told. Whoever has home's context pinned says so; it is not any more if others had to be
  // destroyed.
  bool submit(home_task& task, std::optional<context_pin>& held) {
    if (mailbox_.try_push(task)) return true;
    add_owner();  // Before the push: a shutdown may take the task at once, and its owner with it.
    switch (mailbox_.push(task)) {
      case mailbox::pushed::refused:
        if (task.is_operation() && task.stamp().lease == 0) give_back_place();
        return release_owners(1), false;
      case mailbox::pushed::queued: return release_owners(1), true;
      case mailbox::pushed::first: break;
    }
    drop_watch watch(this);
    try {
      std::optional<context_pin> pin;
      if ((held && *held) || pin.emplace(registry_))
        post_drain();
      else
        return release_owners(1), true;  // The shutdown that is under way finds the task in the mailbox.
    } catch (...) {
      held.reset();  // What is destroyed below may own the context.
      if (take_back(task, watch.dropped())) throw;
      return true;  // Somebody has taken it out meanwhile.
    }
    if (!watch.dropped()) return true;
    held.reset();
    const bool mine = abandon_queue(&task);
    release_owners(1);
    return !mine;
  }

  // An executor that cannot even be told is the same as none.
  bool try_submit(home_task& task) noexcept {
    try {
      std::optional<context_pin> held;
      return submit(task, held);
    } catch (...) {
      return false;
    }
  }

  context_pin pin() const noexcept { return context_pin(registry_); }
  bool pin(std::optional<context_pin>& held) const noexcept { return static_cast<bool>(held.emplace(registry_)); }

  // At home, in the stage `draining`: parks a task until the resource is closed. False: it is.
  bool wait_for_close(home_task& task) noexcept {
    if (closed()) return false;
    end_batch();
    park_until_closed(task);
    return true;
  }

  // Where there is a limit to how long an operation may be queued: to be armed when one has been.
  std::shared_ptr<expiry<home_base>> wait_limit() const noexcept { return expiry_; }
  // An owner, unless there is none any more. Under the mutex of expiry, which the home's end takes as well.
  home_ref<home_base> try_own() noexcept { return home_ref<home_base>(owners_.try_add() ? this : nullptr); }

  // By any thread: completes operations that have been queued for too long. The time at which the next one will have
  // been, or the end of time.
  std::chrono::steady_clock::time_point expire() noexcept {
    for (;;) {
      home_queue::overdue_operation overdue;
      {
        const drain_stage::eviction look(stage_);
        take_mail();
        if (const auto next = queue_.take_overdue(gate_.max_wait(), overdue); !overdue.operation) return next;
      }
      overdue.operation->refuse(errc::timed_out_queued, overdue.pin);
    }
  }

  void add_owner() noexcept { owners_.add(); }
  void release_owners(std::size_t n) noexcept {
    if (owners_.remove(n)) retire();
  }

  // At home, in the stage `draining`: whether the operation, whose function has run, has to wait for the end of a
  // batch.
  bool defer(any_operation& operation) noexcept {
    if (batch_ == batch::none) return false;
    if (batch_ == batch::over) operation.set_stamp({0, task_stamp::anytime, {}});  // It was not in it any more.
    queue_.finish(operation);
    return true;
  }

  // Instead of releasing an owner at once: all together, at the end of the visit.
  void owner_came_back() noexcept { ++returned_owners_; }

 protected:
  home_base(std::shared_ptr<context_registry> registry, const resource_options& options)
      : home_occupancy(options), registry_(std::move(registry)), options_(options) {
    options_.quantum = std::max<std::size_t>(1, options_.quantum);
    if (gate_.limits_wait()) expiry_ = std::make_shared<expiry<home_base>>(*this, gate_.max_wait());
  }

  ~home_base() {
    if (expiry_) expiry_->forget_home();
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
    const wait_graph::visit here(*this);
    stage_.begin_visit();
    for (visit_budget budget(options_);;) {
      if (noted_) [[unlikely]] {
        noted_ = false;
        hold();
        if (batch_ == batch::over) end_batch();
      }
      if (queue_.empty()) take_mail();
      if (queue_.unsettled()) [[unlikely]]
        queue_.settle();
      if (queue_.empty()) {
        if (batch_ != batch::none) {
          end_batch();
          continue;
        }
        if (!mailbox_.try_idle()) continue;
        return end_visit(1);
      }
      if (budget.spent()) {
        end_batch();
        stage_.end_visit();
        const std::size_t returned = std::exchange(returned_owners_, 0);
        const bool posted = try_post_drain();
        if (returned > 0) release_owners(returned);
        if (posted) return;
        stage_.begin_visit();
        budget = visit_budget(options_);
        continue;
      }
      home_task& next = queue_.pop();
      if (gate_.is_unquestioned(next)) [[likely]] {
        budget.use();
        next.run(*this);
      } else if (const std::error_code refused = gate_.refusal_of(next, queue_.held())) {
        // All that were cancelled together go at once; others count, since new ones may come for ever.
        if (refused != asio::error::operation_aborted) budget.use();
        next.fail(refused, this);
      } else {
        budget.use();
        next.run(*this);
      }
    }
  }

  void on_context_shutdown() noexcept final {
    abandon_queue(nullptr);
    destroy_resource();
  }

  // Before the home is destroyed: what is parked may be there without an owner.
  void abandon_parked() noexcept { (void)abandon_queue(nullptr); }

  home_tally& tally() noexcept { return tally_; }

  // Operations that were submitted before are refused from now on.
  std::uint32_t begin_epoch() noexcept {
    const std::uint32_t epoch = gate_.begin_epoch();
    if (leased()) reminder_.send_to(*this);
    return epoch;
  }

  void read(resource_stats& stats) noexcept {
    {
      const drain_stage::eviction look(stage_);
      take_mail();
    }
    tally_.read(stats, queue_, options_.max_pending);
  }

  virtual void post_drain() = 0;
  virtual void post_retirement() = 0;
  virtual void destroy_resource() noexcept = 0;
  // With the user's code allowed: ends the batch, if the resource has not done so yet. What that failed with.
  virtual std::exception_ptr leave_batch() noexcept = 0;
  // At home, from within a function, or around one.
  enum class batch : unsigned char { none, open, over };
  void set_batch(batch now) noexcept {
    batch_ = now;
    noted_ = true;
  }
  batch batch_now() const noexcept { return batch_; }

 private:
  void take_mail() noexcept { queue_.accept(mailbox_.take()); }

  // Has home look behind a lease for what was cancelled.
  class reminder final : public home_task {
   public:
    reminder() { set_stamp({0, task_stamp::anytime, {}}); }

    void send_to(home_base& home) noexcept {
      if (!sent_.exchange(true, std::memory_order_acq_rel) && !home.try_submit(*this)) sent_ = false;
    }
    void run(home_base& home) noexcept override {
      // Before the epoch is read: who begins another one sends it again.
      sent_.exchange(false, std::memory_order_acq_rel);
      home.look_behind_lease();
    }
    void abandon(home_base*) noexcept override {}
    void fail(std::error_code, home_base*) noexcept override {}

   private:
    std::atomic<bool> sent_{false};
  };

  void end_batch() noexcept {
    if (std::exchange(batch_, batch::none) == batch::none) return;
    stage_.enter();
    const std::exception_ptr failure = leave_batch();
    stage_.leave();
    while (home_task* const finished = queue_.pop_finished()) {
      const bool shares = finished->stamp().lease != task_stamp::anytime;
      static_cast<any_operation*>(finished)->end_batch(*this, shares ? failure : nullptr);
    }
  }

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

  // The executor threw: it has not been told of the task, nor of those that were pushed behind it in the meantime, or
  // wait for something to be done at home. False: the task is not in the queue any more.
  bool take_back(const home_task& task, bool dropped) noexcept {
    stage_.begin_visit();
    queue_.settle();
    bool found = false;
    const auto fail_others = [&](task_list list) {
      for (queue_.accept(std::move(list)); !queue_.empty();)
        if (home_task& next = queue_.pop(); &next == &task)
          found = true;
        else
          next.fail(make_error_code(std::errc::not_enough_memory), this);
    };
    if (dropped) {
      do fail_others(mailbox_.take());
      while (!mailbox_.try_idle());
      end_visit(1);
    } else {
      // An asio::strand does not survive an executor that throws when it schedules itself: it keeps the drain, and will
      // never run anything again. The drain gives up its ownership when the strand goes.
      queue_.accept(mailbox_.close());
      queue_.mingle();
      fail_others({});
      let_rest();
      end_visit(0);
    }
    return found;
  }

  // Whether the one that is spared was there.
  bool abandon_queue(const home_task* except) noexcept {
    bool found = false;
    stage_.begin_visit();
    queue_.accept(mailbox_.close());
    queue_.mingle();
    while (!queue_.empty())
      if (home_task& next = queue_.pop(); &next == except)
        found = true;
      else
        next.abandon(this);
    stage_.end_visit();
    return found;
  }

  void evict(const homebound& origin, task_list& orphans) noexcept {
    drain_stage::eviction eviction(stage_);
    if (home_task* const running = eviction.running(); running && running->origin() == &origin)
      if (any_operation* const operation = running->take_running()) {
        eviction.take_running();
        orphans.push_back(*operation);
      }
    take_mail();
    queue_.evict(origin, orphans);
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

  // For all to read.
  alignas(cache_line) const std::shared_ptr<context_registry> registry_;
  resource_options options_;
  std::shared_ptr<expiry<home_base>> expiry_;

  // For those who submit.
  alignas(cache_line) owner_count owners_;
  mailbox mailbox_;
  reminder reminder_;
  home_tally tally_;

  // For the drain.
  alignas(cache_line) std::size_t returned_owners_ = 0;
  batch batch_ = batch::none;
  home_list::entry listed_{this, [](void* self, const homebound& origin, task_list& orphans) noexcept {
                             static_cast<home_base*>(self)->evict(origin, orphans);
                           }};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_BASE_HPP
