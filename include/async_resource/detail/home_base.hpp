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
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/cache.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/counter.hpp>
#include <async_resource/detail/drain_stage.hpp>
#include <async_resource/detail/drop_watch.hpp>
#include <async_resource/detail/expiry.hpp>
#include <async_resource/detail/home_queue.hpp>
#include <async_resource/detail/mailbox.hpp>
#include <async_resource/detail/places.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/wait_graph.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

template <class Home>
class home_ref;

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
// Closing: a task that waits for it, once its turn has come, shuts the gate for all operations behind it, and is parked.
// When the last guest, an object of a home_ptr, has gone too, the resource is destroyed, and what was parked goes on.
//
// What becomes of a drain, from the push that finds the mailbox idle:
//
//   posted --> running --> idle          all was run, and the queue gives up its ownership
//                      --> posted        the visit was full
//   posted --> dropped                   on_drain_dropped(): the context goes, the queue is abandoned
//   not posted: execute threw            take_back(): the caller keeps its task, others fail
//   not posted: execute dropped it       abandoned as if the context went; drop_watch tells it from the above
class home_base : public context_member, public wait_graph::node {
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

  // In the initiating function: whether one more operation may be queued. It then has to be, or give_back_place().
  std::error_code admit() noexcept {
    if (closing_.load(std::memory_order_relaxed)) [[unlikely]]
      return errc::closed;
    if (!places_.take()) return errc::queue_full;
    return {};
  }
  void give_back_place() noexcept { places_.give_back(); }

  // Before it is submitted, and thereby becomes one that is counted and can be refused.
  void stamp(home_task& task, std::uint32_t lease) const noexcept {
    // Relaxed: what was submitted before a cancellation, in the order that the threads see, was stamped before.
    task.set_stamp({epoch_.load(std::memory_order_relaxed), lease, stamps_time_ ? clock::now() : clock::time_point()});
  }

  // From here on nothing is admitted.
  void begin_close() noexcept { closing_.store(true, std::memory_order_relaxed); }

  // At home, in the stage `draining`: parks a task until the resource is closed. False: it is.
  bool wait_for_close(home_task& task) noexcept {
    if (closed()) return false;
    end_batch();
    set_gate(gate::closing);
    keep_at_work();
    queue_.park(task);
    finish_close();
    return true;
  }
  bool closed() const noexcept { return gate_ == gate::closed; }
  bool bounded() const noexcept { return places_.bounded(); }

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

  // At home, from within a function: refuses all that follow.
  void poison() noexcept {
    if (gate_ == gate::open) set_gate(gate::poisoned);
  }

  // Where there is a limit to how long an operation may be queued: to be armed when one has been.
  std::shared_ptr<expiry<home_base>> wait_limit() const noexcept { return expiry_; }
  // An owner, unless there is none any more.
  home_ref<home_base> try_own() noexcept;

  // By any thread: completes operations that have been queued for too long. The time at which the next one will have been,
  // or the end of time.
  std::chrono::steady_clock::time_point expire() noexcept {
    for (;;) {
      home_queue::overdue_operation overdue;
      {
        const drain_stage::eviction look(stage_);
        take_mail();
        if (const auto next = queue_.take_overdue(max_wait(), overdue); !overdue.operation) return next;
      }
      overdue.operation->refuse(errc::timed_out_queued, overdue.pin);
    }
  }

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
  // At home, from within a function: from when that has returned, only what belongs to that lease runs.
  void begin_lease(std::uint32_t lease) noexcept {
    begun_lease_ = lease;
    noted_ = true;
  }
  // At home, in the stage `draining`.
  void end_lease(std::uint32_t lease) noexcept {
    leased_.store(false, std::memory_order_relaxed);
    queue_.release(lease);
    if (gate_ != gate::closing) let_rest();
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
  std::uint32_t next_lease() noexcept { return queue_.next_lease(); }

  // At home, in the stage `draining`: whether the operation, whose function has run, has to wait for the end of a batch.
  bool defer(any_operation& operation) noexcept {
    if (batch_ == batch::none) return false;
    if (batch_ == batch::over) operation.set_stamp({0, task_stamp::anytime, {}});  // It was not in it any more.
    queue_.finish(operation);
    return true;
  }

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
      : registry_(std::move(registry)), options_(options), places_(options) {
    options_.quantum = std::max<std::size_t>(1, options_.quantum);
    stamps_time_ = options_.time_operations || options_.max_wait.count() > 0;
    unchecked_ = options_.max_wait.count() == 0;
    if (!unchecked_) expiry_ = std::make_shared<expiry<home_base>>(*this, options_.max_wait);
    std::lock_guard lock(all_mutex_);
    next_home_ = all_;
    if (all_) all_->previous_home_ = this;
    all_ = this;
  }

  ~home_base() {
    if (expiry_) expiry_->forget_home();
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
    const wait_graph::visit here(*this);
    stage_.begin_visit();
    for (visit_budget budget(options_);;) {
      if (noted_) [[unlikely]] {
        noted_ = false;
        if (begun_lease_ != 0) hold();
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
      if (is_unquestioned(next)) [[likely]] {
        budget.use();
        next.run(*this);
      } else if (const std::error_code refused = refusal_of(next)) {
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

  // By any thread: an operation was refused before it was queued, or while it was.
  void count_turned_away() noexcept { turned_away_.add(1); }
  void count_cancelled() noexcept { cancelled_.add(1); }
  void count_rejected() noexcept { rejected_.add(1); }

  // Operations that were submitted before are refused from now on.
  std::uint32_t begin_epoch() noexcept {
    const std::uint32_t epoch = epoch_.fetch_add(1, std::memory_order_seq_cst) + 1;
    if (leased_.load(std::memory_order_seq_cst)) reminder_.send_to(*this);
    return epoch;
  }
  // At home, after the function has been announced as running. Both sides write: either this sees the new epoch, or whoever
  // began it sees the function run.
  bool cancelled_since(const task_stamp& stamp) noexcept {
    return epoch_.fetch_add(0, std::memory_order_acq_rel) != stamp.epoch;
  }

  void read(resource_stats& stats) noexcept {
    {
      const drain_stage::eviction look(stage_);
      take_mail();
    }
    const std::uint64_t came = queue_.came(), left = std::min(came, queue_.left()), away = turned_away_.get();
    stats.queued = std::min<std::size_t>(came - left, options_.max_pending);
    stats.high_water = std::min<std::size_t>(queue_.high_water(), options_.max_pending);
    stats.cancelled = cancelled_.get();
    stats.rejected = rejected_.get() + away;
    stats.submitted = came + away;
  }

  virtual void post_drain() = 0;
  virtual void post_retirement() = 0;
  virtual void destroy_resource() noexcept = 0;
  // Only the resource: home goes on.
  virtual void vacate() noexcept = 0;
  // With the user's code allowed: ends the batch, if the resource has not done so yet. What that failed with.
  virtual std::exception_ptr leave_batch() noexcept = 0;
  // At home, from within a function, or around one.
  enum class batch : unsigned char { none, open, over };
  void set_batch(batch now) noexcept {
    batch_ = now;
    noted_ = true;
  }
  batch batch_now() const noexcept { return batch_; }
  // The context, while something is parked that will go on at home.
  virtual void keep_at_work() noexcept = 0;
  virtual void let_rest() noexcept = 0;

 private:
  using clock = std::chrono::steady_clock;
  enum class gate : unsigned char { open, poisoned, closing, closed };

  void set_gate(gate now) noexcept {
    gate_ = now;
    unchecked_ = false;
  }

  void take_mail() noexcept { queue_.accept(mailbox_.take()); }

  // At home, in the stage `draining`.
  void hold() noexcept {
    queue_.hold(std::exchange(begun_lease_, 0));
    unchecked_ = false;
    keep_at_work();
    // Either this sees the new epoch, or whoever began it sees the lease.
    leased_.store(true, std::memory_order_seq_cst);
    queue_.let_cancelled_go(epoch_.load(std::memory_order_seq_cst));
  }

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
      if (home.queue_.held() != 0) home.queue_.let_cancelled_go(home.epoch_.load(std::memory_order_seq_cst));
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

  // The quick answer for nearly all.
  bool is_unquestioned(const home_task& task) const noexcept {
    const task_stamp& stamp = task.stamp();
    return unchecked_ && ((stamp.epoch ^ epoch_.load(std::memory_order_relaxed)) | stamp.lease) == 0;
  }

  std::error_code refusal_of(const home_task& task) const noexcept {
    if (!task.is_operation()) return {};
    if (task.stamp().epoch != epoch_.load(std::memory_order_relaxed)) return asio::error::operation_aborted;
    if (const std::uint32_t lease = task.stamp().lease; lease != 0) {
      if (lease != queue_.held()) return errc::closed;  // It has ended.
      return gate_ == gate::poisoned ? std::error_code(errc::poisoned) : std::error_code();
    }
    if (gate_ == gate::poisoned) return errc::poisoned;
    if (gate_ != gate::open) return errc::closed;
    if (options_.max_wait.count() > 0 && clock::now() >= task.stamp().time + max_wait()) return errc::timed_out_queued;
    return {};
  }

  clock::duration max_wait() const noexcept { return std::chrono::ceil<clock::duration>(options_.max_wait); }

  void finish_close() noexcept {
    // Acquire what was done to objects that went elsewhere.
    if (gate_ != gate::closing || guests_.load(std::memory_order_acquire) > 0) return;
    set_gate(gate::closed);
    stage_.enter();
    vacate();
    stage_.leave();
    let_rest();
    queue_.unpark();
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

  // The executor threw: it has not been told of the task, nor of those that were pushed behind it in the meantime, or wait
  // for something to be done at home. False: the task is not in the queue any more.
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
      queue_.mingle();
      fail_others(mailbox_.close());
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
  const std::shared_ptr<context_registry> registry_;
  resource_options options_;
  std::shared_ptr<expiry<home_base>> expiry_;
  bool stamps_time_;
  std::atomic<bool> closing_{false};
  std::atomic<std::uint32_t> epoch_{1};

  // For those who submit.
  alignas(cache_line) std::atomic<std::size_t> owners_{1};
  mailbox mailbox_;
  places places_;
  std::atomic<std::thread::id> leaseholder_{};
  std::atomic<bool> leased_{false};
  reminder reminder_;
  shared_counter turned_away_;

  // For the drain.
  alignas(cache_line) drain_stage stage_;
  home_queue queue_{places_};
  std::size_t returned_owners_ = 0;
  gate gate_ = gate::open;
  bool unchecked_;      // An operation is refused only if there was a cancellation.
  bool noted_ = false;  // By a function, for the drain: one of these.
  std::uint32_t begun_lease_ = 0;
  batch batch_ = batch::none;
  std::atomic<std::size_t> guests_{0};
  shared_counter cancelled_, rejected_;

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

inline home_ref<home_base> home_base::try_own() noexcept {
  // Relaxed: what is asked for under the mutex of expiry, which the home's end takes as well.
  std::size_t owners = owners_.load(std::memory_order_relaxed);
  while (owners > 0)
    if (owners_.compare_exchange_weak(owners, owners + 1, std::memory_order_relaxed)) return home_ref<home_base>(this);
  return {};
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_BASE_HPP
