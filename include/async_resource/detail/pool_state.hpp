// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_POOL_STATE_HPP
#define ASYNC_RESOURCE_DETAIL_POOL_STATE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/expiry.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_place.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/home_tally.hpp>
#include <async_resource/detail/observation.hpp>
#include <async_resource/detail/pool_factory.hpp>
#include <async_resource/detail/pool_member.hpp>
#include <async_resource/detail/pool_queue.hpp>
#include <async_resource/detail/pool_roster.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/wait_graph.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What the handles of a pool share: its members, and the queue that they take from. Everything is guarded by one mutex,
// under which neither the user's code runs, nor a home's stage is waited for.
//
// While something is queued, no member is idle: whoever queues wakes one, and a member becomes idle only when it finds
// nothing. What a member that is on its way to the queue might be held up by wakes another one.
//
// Owned by handles, by operations until they come back, and by members that are awake.
template <class Executor, class Resource, class Observer>
class pool_state final : public context_member,
                         public std::enable_shared_from_this<pool_state<Executor, Resource, Observer>> {
 public:
  using inner_executor_type = Executor;
  using resource_type = Resource;
  using observer_type = Observer;
  using home_type = home<Executor, Resource, Observer>;
  using member_type = pool_member<pool_state>;

  template <class Factory>
  static std::shared_ptr<pool_state> make(const Executor& executor, std::size_t n, Factory&& factory,
                                          const resource_options& options) {
    const std::shared_ptr<pool_state> pool(new pool_state(executor, options, std::forward<Factory>(factory)), retire());
    for (std::size_t i = 0; i < n; ++i) (void)pool->add_member(i, pool->make_member(i));
    pool->enrolled_ = pool->registry_ && pool->registry_->enrol(*pool);
    return pool;
  }

  context_pin pin() const noexcept { return context_pin(registry_); }
  bool pin(std::optional<context_pin>& held) const noexcept { return static_cast<bool>(held.emplace(registry_)); }
  // As that of a home.
  const Executor& inner_executor() const noexcept { return executor_; }

  // Whose function this thread runs, if it is a member's; else null.
  home_ref<home_type> home_here() noexcept {
    const std::lock_guard lock(mutex_);
    for (const auto* visit = wait_graph::here(); visit; visit = visit->outer())
      for (const auto& member : roster_.all())
        if (visit->is_to(*member->home())) return member->home();
    return {};
  }

  // In the initiating function: whether one more operation may be queued. It then has to be, or give_back_place().
  std::error_code admit() noexcept {
    const std::lock_guard lock(mutex_);
    if (refusal_) return refusal_;
    return queue_.take_place() ? std::error_code() : errc::queue_full;
  }
  void give_back_place() noexcept { queue_.give_back_place(); }

  // Queues an operation that was admitted, and may be through, and gone, on return; else says why it was not.
  std::error_code submit(home_task& task, std::optional<context_pin>& held) noexcept {
    const auto limit = expiry_;
    member_type* woken = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (refusal_) {
        queue_.give_back_place();
        return refusal_;
      }
      queue_.push(task);
      woken = roster_.wake_one(*this);
    }
    if (woken) woken->start(held);
    if (limit) limit->arm();
    return {};
  }

  // Until the pool has no member that leaves. False: there is none.
  bool wait(home_task& task) noexcept {
    const std::lock_guard lock(mutex_);
    if (!roster_.any_leaves()) return false;
    waiting_.push_back(task);
    return true;
  }

  // A member for an operation of its own, until that has been submitted. Null: the pool is closed.
  std::shared_ptr<member_type> enter(std::size_t number) noexcept {
    const std::lock_guard lock(mutex_);
    if (roster_.size() == 0) return nullptr;
    const auto& member = roster_.numbered(number);
    ++member->status.entering;
    return member;
  }
  void entered(member_type& member) noexcept {
    member_type* woken = nullptr;
    member_type* other = nullptr;
    {
      const std::lock_guard lock(mutex_);
      --member.status.entering;
      member.status.bypassed = true;
      woken = roster_.wake_if_asleep(member, *this);
      if (!queue_.empty()) other = roster_.wake_one(*this);
    }
    std::optional<context_pin> none;
    if (woken) woken->start(none);
    if (other) other->start(none);
  }

  // By the pump of an awake member.
  pool_step next_step(member_type& member) noexcept {
    const bool poisoned = options_.failure == on_failure::poison && member.home()->failure();
    const std::lock_guard lock(mutex_);
    auto& status = member.status;
    if (poisoned && !std::exchange(status.poisoned, true)) look_for_service();
    if (!queue_.empty() && (roster_.serves(member) || roster_.nobody_serves())) return take(member);
    if (std::exchange(status.bypassed, false)) return {pool_step::again};
    if (status.leaving && status.entering == 0) {
      status.departing = true;
      return {pool_step::depart};
    }
    return {pool_step::rest, nullptr, {}, roster_.put_to_rest(member)};
  }

  // A member has left, or was lost: what has to be done about that.
  struct departure {
    std::shared_ptr<pool_state> pool;
    std::shared_ptr<member_type> member;
    member_type* woken = nullptr;
    task_list queued, waiting;
  };
  departure depart(member_type& member, resource_stats total) noexcept {
    total.queued = total.running = 0;  // Gone with it, without an end.
    departure left;
    const std::lock_guard lock(mutex_);
    left.pool = std::move(member.status.pool);
    left.member = roster_.remove(member);
    add(departed_, total);
    if (!roster_.any_leaves()) left.waiting = std::move(waiting_);
    look_for_service();
    if (roster_.all().empty()) left.queued = queue_.take_all();
    if (!queue_.empty()) left.woken = roster_.wake_one(*this);
    return left;
  }

  // Members leave when they have run what is queued.
  void close(close_mode mode, std::optional<context_pin>& held) noexcept {
    {
      const std::lock_guard lock(mutex_);
      refusal_ = errc::closed;
      for (const auto& member : roster_.all()) member->home()->begin_close();
      roster_.dismiss_all();
      look_for_service();
    }
    if (mode == close_mode::cancel) cancel();
    wake_leaving(held);
  }

  std::error_code resize(std::size_t n, std::optional<context_pin>& held) {
    if (n == 0) return asio::error::invalid_argument;
    for (std::size_t size = try_shrink(n); size < n; size = try_shrink(n))
      if (member_type* const woken = add_member(size, make_member(size))) woken->start(held);
    wake_leaving(held);
    const std::lock_guard lock(mutex_);
    return roster_.closing() || roster_.size() == 0 ? errc::closed : std::error_code();
  }

  void cancel() noexcept {
    {
      const std::lock_guard lock(mutex_);
      queue_.begin_epoch();
    }
    for_each_home([] {}, [](home_type& home) { home.cancel(); });
  }

  resource_stats stats() noexcept {
    for (resource_stats sum;;) {
      const std::uint64_t changes =
          for_each_home([&sum] { sum = {}; }, [&sum](home_type& home) { add(sum, home.stats()); });
      const std::lock_guard lock(mutex_);
      if (roster_.changes() != changes) continue;
      add(sum, departed_);
      queue_.read(sum);
      return sum;
    }
  }

  std::exception_ptr failure() noexcept {
    std::exception_ptr first;
    for_each_home([] {},
                  [&first](home_type& home) {
                    if (!first) first = home.failure();
                  });
    return first;
  }

  // As those of a home.
  void note_queued(const operation_id<Observer>& id) noexcept { observed_.queued(id); }
  void note_turned_away(const operation_id<Observer>& id) noexcept {
    queue_.note_turned_away();
    observed_.rejected(id);
  }
  void note_refused(const operation_id<Observer>& id, std::error_code error) noexcept {
    if (queue_.note_refused(error))
      observed_.cancelled(id);
    else
      observed_.rejected(id);
  }

  // For expiry.
  std::shared_ptr<pool_state> try_own() noexcept { return this->weak_from_this().lock(); }
  std::chrono::steady_clock::time_point expire() noexcept {
    for (;;) {
      home_queue::overdue_operation overdue;
      {
        const std::lock_guard lock(mutex_);
        if (const auto next = queue_.take_overdue(overdue); !overdue.operation) return next;
      }
      overdue.operation->refuse(errc::timed_out_queued, overdue.pin);
    }
  }

 private:
  template <class Factory>
  pool_state(const Executor& executor, const resource_options& options, Factory&& factory)
      : registry_(registry_of(context_of(executor))),
        executor_(executor),
        options_(options),
        make_home_([factory = std::forward<Factory>(factory), options](const Executor& where, std::size_t index) {
          return new home_type(site_apart_on<Executor>(where), options, from_factory,
                               indexed_factory<std::decay_t<Factory>>{factory, index});
        }),
        queue_(options) {
    if (const auto max_wait = queue_.max_wait(); max_wait.count() > 0)
      expiry_ = std::make_shared<expiry<pool_state>>(*this, max_wait);
  }

  ~pool_state() {
    if (expiry_) expiry_->forget_home();
  }

  struct retire {
    void operator()(pool_state* pool) const noexcept {
      // Not pinned for longer: what is destroyed with the pool may own the context.
      const bool withdrawn = !pool->enrolled_ || context_pin(pool->registry_, *pool);
      if (withdrawn) return pool->destroy();
      context_registry::leave(pool->registry_, *pool);
    }
  };

  void destroy() noexcept override { delete this; }

  void on_context_shutdown() noexcept override {
    task_list queued, waiting;
    {
      const std::lock_guard lock(mutex_);
      refusal_ = errc::closed;
      roster_.forget_numbers();
      queued = queue_.take_all();
      waiting = std::move(waiting_);
    }
    for (task_list* const list : {&queued, &waiting})
      while (!list->empty()) list->pop().abandon(nullptr);
    make_home_ = nullptr;
    // It may be a strand, which must not outlive its context.
    if constexpr (!is_context_executor<Executor>) [[maybe_unused]]
      const Executor gone = std::move(executor_);
  }

  // Runs the user's code.
  std::shared_ptr<member_type> make_member(std::size_t index) {
    return std::make_shared<member_type>(*this, home_ref<home_type>(make_home_(executor_, index)));
  }

  // Unless another has taken its place meanwhile. To be started, if it is woken.
  [[nodiscard]] member_type* add_member(std::size_t index, std::shared_ptr<member_type> member) {
    const std::lock_guard lock(mutex_);
    if (index != roster_.size() || roster_.closing()) return nullptr;
    roster_.add(std::move(member));
    if (refusal_ == errc::poisoned) refusal_.clear();
    return queue_.empty() ? nullptr : roster_.wake_one(*this);
  }

  // The size that there is, or, that being none any more, what was wanted.
  std::size_t try_shrink(std::size_t n) noexcept {
    const std::lock_guard lock(mutex_);
    const std::size_t size = roster_.size();
    if (roster_.closing() || size == 0) return n;
    if (n >= size) return size;
    roster_.dismiss_from(n);
    look_for_service();
    return n;
  }

  // The rest is with the mutex locked.

  // If nobody serves any more, what is queued is refused by the next pump that looks.
  void look_for_service() noexcept {
    if (!refusal_ && roster_.nobody_serves()) refusal_ = roster_.all().empty() ? errc::closed : errc::poisoned;
  }

  pool_step take(member_type& member) noexcept {
    home_task& task = queue_.pop();
    if (const std::error_code refused = queue_.refusal_of(task)) return {pool_step::refuse, &task, refused};
    if (!roster_.serves(member)) return {pool_step::refuse, &task, errc::poisoned};
    queue_.hand_over(task, *member.home());
    return {pool_step::run, &task};
  }

  // But for these.

  void wake_leaving(std::optional<context_pin>& held) noexcept {
    for (;;) {
      member_type* woken = nullptr;
      {
        const std::lock_guard lock(mutex_);
        woken = roster_.wake_leaving(*this);
      }
      if (!woken) return;
      woken->start(held);
    }
  }

  // One after the other. When members come or go meanwhile, others move: then it begins anew, and says so. For which
  // state of the roster it was done.
  template <class Begin, class Visit>
  std::uint64_t for_each_home(Begin&& begin, Visit&& visit) noexcept {
    std::uint64_t changes = 0;
    for (std::size_t i = 0;; ++i) {
      std::shared_ptr<member_type> member;
      {
        const std::lock_guard lock(mutex_);
        if (i == 0 || roster_.changes() != changes) {
          begin();
          changes = roster_.changes();
          i = 0;
        }
        if (i >= roster_.all().size()) return changes;
        member = roster_.all()[i];
      }
      visit(*member->home());
    }
  }

  const std::shared_ptr<context_registry> registry_;
  bool enrolled_ = false;
  Executor executor_;
  const resource_options options_;
  std::function<home_type*(const Executor&, std::size_t)> make_home_;
  std::shared_ptr<expiry<pool_state>> expiry_;

  std::mutex mutex_;
  pool_queue queue_;
  pool_roster<member_type> roster_;
  task_list waiting_;
  std::error_code refusal_;  // Why nothing more is queued.
  resource_stats departed_;
  [[no_unique_address]] observation<Observer> observed_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_POOL_STATE_HPP
