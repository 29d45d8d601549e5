// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_TENANT_HPP
#define ASYNC_RESOURCE_DETAIL_TENANT_HPP

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/cancellation_view.hpp>
#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/counter.hpp>
#include <async_resource/detail/makes.hpp>
#include <async_resource/detail/observation.hpp>
#include <async_resource/detail/run_watch.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

template <class Factory, class Resource>
concept makes_resource = requires(Factory& factory, void* place) {
  ::new (place) Resource(std::invoke(factory));
};

// A function that runs outside of batches.
template <class Function>
inline constexpr bool runs_alone = false;

// A function that also takes a cancellation_view, called with what it does not get from there.
template <class Function>
struct with_view {
  Function& function;
  cancellation_view view;

  template <class... Args>
  decltype(auto) operator()(Args&... args) {
    return std::invoke(std::move(function), args..., view);
  }
};

// What lives at a home: the resource, from the moment it is made until it is destroyed, and what becomes of it when a
// function throws. All of it is for home only, but for ask() and what is read of the figures.
template <class Resource, class Observer>
class tenant {
 public:
  template <class... Args>
  tenant(const resource_options& options, std::in_place_t, Args&&... args) : tenant(options, nullptr) {
    ::new (static_cast<void*>(std::addressof(resource_))) Resource(make_of<Resource>(std::forward<Args>(args)...));
    made_ = true;
  }

  template <class Factory>
  tenant(const resource_options& options, from_factory_t, Factory&& factory)
      : tenant(options, std::make_unique<maker_of<std::decay_t<Factory>>>(std::forward<Factory>(factory))) {}

  tenant(const tenant&) = delete;
  tenant& operator=(const tenant&) = delete;
  ~tenant() {}  // Not defaulted: vacate() has been called.

  // Calls the function, unless its errand, asked at the last moment, says no, or `cancelled`, asked after that, that
  // all have been cancelled meanwhile: then true, and the outcome is that. Runs the user's code.
  template <class Function, class Outcome, class Errand, class Cancelled>
  bool perform(Function&& function, Outcome& outcome, task_stamp stamp, operation_id<Observer> id, Errand* errand,
               Cancelled&& cancelled) noexcept {
    using form = use_form<std::decay_t<Function>, Resource>;
    constexpr bool watched = form::has_view || interruptible<Resource>;

    const bool ready = made_, ends_here = !ends_later(function);
    std::exception_ptr thrown = ready ? nullptr : make();
    if constexpr (has_batches<Resource>) {
      if (stamp.lease != 0 || runs_alone<std::decay_t<Function>>)
        leave_batch();
      else if (!thrown)
        thrown = enter_batch();
    }
    const bool watching = watched && !thrown;
    if (watching) watch_.begin(stamp.epoch);
    const bool mine = !errand || errand->start();
    const bool aborted = mine && (watched || !ready) && cancelled();
    const bool started = mine && !aborted;
    if (aborted) outcome.set_error(asio::error::operation_aborted);
    if (started) {
      running_.set(1);
      const auto since = begin_timing(stamp);
      observation_.started(id);
      if (thrown) [[unlikely]]
        outcome.set_exception(thrown);
      else if constexpr (form::has_view)
        thrown = outcome.capture(with_view<std::decay_t<Function>>{function, cancellation_view(watch_)}, resource_);
      else
        thrown = outcome.capture(std::forward<Function>(function), resource_);
      observation_.finished(id);
      end_timing(since);
    }
    if (watching) watch_.end([this] { finish_interrupt(); });
    running_.set(0);
    if (started) {
      if (thrown) [[unlikely]]
        note_failure(thrown);
      else if (ends_here)
        completed_.add(1);
    }
    return aborted;
  }

  // By any thread: asks the function that runs, if it was submitted before that epoch, to give up.
  template <class AtHome>
  void ask(std::uint32_t epoch, AtHome&& at_home) noexcept {
    if constexpr (interruptible<Resource>) {
      if (watch_.ask(epoch, !at_home())) {
        adl::call_interrupt(resource_);
        watch_.interrupted();
      }
    } else {
      watch_.ask(epoch, false);
    }
  }

  // With the user's code allowed: whether a batch is open; ends it. What that failed with is kept.
  bool in_batch() const noexcept { return in_batch_; }
  void leave_batch() noexcept {
    if constexpr (has_batches<Resource>)
      if (std::exchange(in_batch_, false)) batch_failure_ = attempt([this] { adl::call_leave_batch(resource_); });
  }
  std::exception_ptr batch_failure() noexcept { return std::exchange(batch_failure_, nullptr); }

  // With the user's code allowed: an operation has ended whose function was through long ago.
  void note_ended(const std::exception_ptr& failure) noexcept {
    if (failure)
      note_failure(failure);
    else
      completed_.add(1);
  }
  // With the user's code allowed: a lease has ended.
  void roll_back() noexcept {
    if constexpr (rolls_back<Resource>)
      if (made_) adl::call_rollback(resource_);
  }

  // For whoever holds a lease.
  Resource& resource() noexcept { return resource_; }

  // Destroys the resource, and what could make another one.
  void vacate() noexcept {
    unmake();
    maker_.reset();
  }

  bool poisoned() const noexcept { return poisoned_; }

  std::exception_ptr failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

  void read(resource_stats& stats) const noexcept {
    stats.running = running_.get();
    stats.completed = completed_.get();
    stats.failed = failed_.get();
    stats.queued_time = std::chrono::nanoseconds(queued_time_.get());
    stats.running_time = std::chrono::nanoseconds(running_time_.get());
  }

  observation<Observer>& observed() noexcept { return observation_; }

 private:
  using clock = std::chrono::steady_clock;

  template <class Function>
  static bool ends_later([[maybe_unused]] const Function& function) noexcept {
    if constexpr (runs_alone<Function>)
      return function.ends_later();
    else
      return false;
  }

  struct maker {
    virtual ~maker() = default;
    virtual void make(void* place) = 0;
  };
  template <class Factory>
  struct maker_of final : maker {
    template <class F>
    explicit maker_of(F&& f) : factory(std::forward<F>(f)) {}
    void make(void* place) override { ::new (place) Resource(std::invoke(factory)); }

    Factory factory;
  };

  tenant(const resource_options& options, std::unique_ptr<maker> how)
      : on_failure_(options.failure), timed_(options.time_operations), maker_(std::move(how)) {
    if (on_failure_ == on_failure::rebuild && !maker_)
      throw std::invalid_argument("async_resource: on_failure::rebuild needs a factory: construct with from_factory");
  }

  // What the factory threw, if it did: the operation's failure, and the next one tries again.
  std::exception_ptr make() noexcept {
    return attempt([this] {
      maker_->make(std::addressof(resource_));
      made_ = true;
    });
  }

  std::exception_ptr enter_batch() noexcept {
    if (in_batch_) return nullptr;
    return attempt([this] {
      adl::call_enter_batch(resource_);
      in_batch_ = true;
    });
  }

  // What it threw.
  template <class Action>
  static std::exception_ptr attempt(Action&& action) noexcept {
    try {
      action();
      return nullptr;
    } catch (...) {
      return std::current_exception();
    }
  }

  void unmake() noexcept {
    leave_batch();
    if (std::exchange(made_, false)) std::destroy_at(std::addressof(resource_));
  }

  void note_failure(const std::exception_ptr& thrown) noexcept {
    failed_.add(1);
    if (!made_) return;
    if (on_failure_ == on_failure::rebuild) unmake();
    if (on_failure_ == on_failure::poison) {
      poisoned_ = true;
      const std::lock_guard lock(mutex_);
      failure_ = thrown;
    }
  }

  void finish_interrupt() noexcept {
    if constexpr (finishes_interrupts<Resource>) adl::call_finish_interrupt(resource_);
  }

  clock::time_point begin_timing(const task_stamp& stamp) noexcept {
    if (!timed_) [[likely]]
      return {};
    const auto now = clock::now();
    queued_time_.add(nanoseconds(now - stamp.time));
    return now;
  }
  void end_timing(clock::time_point since) noexcept {
    if (timed_) [[unlikely]]
      running_time_.add(nanoseconds(clock::now() - since));
  }
  static std::uint64_t nanoseconds(clock::duration duration) noexcept {
    return std::uint64_t(std::chrono::nanoseconds(duration).count());
  }

  run_watch watch_;
  const on_failure on_failure_;
  const bool timed_;
  bool made_ = false;
  bool poisoned_ = false;
  bool in_batch_ = false;
  counter running_, completed_, failed_, queued_time_, running_time_;
  [[no_unique_address]] observation<Observer> observation_;
  std::unique_ptr<maker> maker_;
  mutable std::mutex mutex_;  // Guards failure_.
  std::exception_ptr failure_;
  std::exception_ptr batch_failure_;
  union {
    Resource resource_;
  };
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_TENANT_HPP
