// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_HPP

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/mailbox.hpp>
#include <async_resource/detail/one_shot.hpp>
#include <async_resource/detail/reserved_memory.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Where a resource lives: its queue, and the drain that runs what is queued, one visit to the strand after another.
//
// Owners are counted: handles, operations not yet started, results on their way, and the queue itself while it is busy.
// When the last one goes, a retirement is posted to the strand, and destroys the resource there. A home whose context
// is shut down first destroys the resource then, refuses tasks from there on, and keeps only its memory for the owners.
//
// What becomes of a drain, from the push that finds the mailbox idle:
//
//   posted --> running --> idle          all was run, release_owner()
//                      --> posted        the visit was full
//   posted --> dropped                   on_drain_dropped(): the context goes, the queue is abandoned
//   not posted: execute threw            take_back(): the caller keeps its task, others fail
//   not posted: execute dropped it       abandoned as if the context went; drop_watch tells it from the above
class home_base : public context_member {
 public:
  // False: home has been shut down, and the task is still the caller's. It also is if the call throws, as it does when
  // the executor cannot be told.
  bool submit(home_task& task) {
    switch (mailbox_.push(task)) {
      case mailbox::pushed::refused: return false;
      case mailbox::pushed::queued: return true;
      case mailbox::pushed::first: break;
    }
    add_owner();
    drop_watch watch(*this);
    try {
      // Not pinned any more below: what is destroyed there may own the context.
      if (const auto alive = pin())
        post_drain();
      else
        return release_owner(), true;  // The shutdown that is under way finds the task in the mailbox.
    } catch (...) {
      take_back(task, watch.dropped());
      throw;
    }
    if (!watch.dropped()) return true;
    abandon_queue(&task);
    release_owner();
    return false;
  }

  context_pin pin() const noexcept { return context_pin(registry_); }

  void add_owner() noexcept {
    // Relaxed: whoever adds an owner is one, or the busy queue's drain, and has synchronised already.
    owners_.fetch_add(1, std::memory_order_relaxed);
  }

  void release_owner() noexcept {
    // Release what this owner did; acquire, in the last one, what all others did.
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) retire();
  }

 protected:
  explicit home_base(std::shared_ptr<context_registry> registry) : registry_(std::move(registry)) {}
  ~home_base() = default;

  void enrol() noexcept {
    if (registry_) registry_->enrol(*this);
  }

  // The executor will never run the scheduled drain.
  void on_drain_dropped() noexcept {
    if (!drop_watch::notice(*this)) give_up();
  }

  // One visit to the strand.
  void drain() noexcept {
    for (std::size_t left = quantum;;) {
      if (pending_.empty()) pending_ = mailbox_.take();
      if (pending_.empty()) {
        if (!mailbox_.try_idle()) continue;
        return release_owner();
      }
      if (left == 0) {
        if (try_post_drain()) return;
        left = quantum;
      }
      --left;
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
  // Functions a visit to the strand, so that other work on it gets its turn.
  static constexpr std::size_t quantum = 64;

  // Notices a function dropped by the very call that was to post it: by unwinding, or because the strand is shut down.
  class drop_watch {
   public:
    explicit drop_watch(const home_base& home) noexcept : home_(&home), outer_(std::exchange(top(), this)) {}
    drop_watch(const drop_watch&) = delete;
    drop_watch& operator=(const drop_watch&) = delete;
    ~drop_watch() { top() = outer_; }

    bool dropped() const noexcept { return dropped_; }

    static bool notice(const home_base& home) noexcept {
      for (drop_watch* watch = top(); watch; watch = watch->outer_)
        if (watch->home_ == &home) return watch->dropped_ = true;
      return false;
    }

   private:
    static drop_watch*& top() noexcept {
      static thread_local drop_watch* innermost = nullptr;
      return innermost;
    }

    const home_base* home_;
    drop_watch* outer_;
    bool dropped_ = false;
  };

  bool try_post_drain() noexcept {
    drop_watch watch(*this);
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
    release_owner();
  }

  // The executor threw: it has not been told of the task, nor of those that were pushed behind it in the meantime.
  void take_back(const home_task& task, bool dropped) noexcept {
    const auto fail_others = [&](task_list list) {
      while (!list.empty())
        if (home_task& next = list.pop(); &next != &task) next.fail(make_error_code(std::errc::not_enough_memory));
    };
    if (dropped) {
      do fail_others(mailbox_.take());
      while (!mailbox_.try_idle());
      release_owner();
    } else {
      // An asio::strand does not survive an executor that throws when it schedules itself: it keeps the drain, and will
      // never run anything again. The drain gives up its ownership when the strand goes.
      fail_others(mailbox_.close());
    }
  }

  void abandon_queue(const home_task* except) noexcept {
    for (task_list list : {std::exchange(pending_, {}), mailbox_.close()})
      while (!list.empty())
        if (home_task& next = list.pop(); &next != except) next.abandon();
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

  mailbox mailbox_;
  task_list pending_;  // Taken from the mailbox and not yet run; the drain's own.
  std::atomic<std::size_t> owners_{1};
  const std::shared_ptr<context_registry> registry_;
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
    if (home_) home_->release_owner();
  }

  template <class Base>
    requires std::is_base_of_v<Base, Home>
  operator home_ref<Base>() const noexcept {
    if (home_) home_->add_owner();
    return home_ref<Base>(home_);
  }

  Home* operator->() const noexcept { return home_; }
  Home& operator*() const noexcept { return *home_; }
  explicit operator bool() const noexcept { return home_; }
  friend bool operator==(const home_ref& a, const home_ref& b) noexcept { return a.home_ == b.home_; }

 private:
  Home* home_ = nullptr;
};

// The strand by the executor that is really there, so that what is posted to it can use memory set aside.
template <class Executor>
struct posting_strand {
  using type = std::variant<asio::strand<Executor>>;
};
template <>
struct posting_strand<asio::any_io_executor> {
  using type = std::variant<asio::strand<asio::any_io_executor>, asio::strand<asio::io_context::executor_type>,
                            asio::strand<asio::thread_pool::executor_type>>;
};

template <class Executor>
using posting_strand_t = typename posting_strand<Executor>::type;

template <class Executor, class Resource>
class home final : public home_base {
 public:
  using inner_executor_type = Executor;
  using resource_type = Resource;

  template <class... Args>
  explicit home(posting_strand_t<Executor> strand, Args&&... args)
      : home_base(std::visit([](const auto& s) { return registry_of(context_of(s)); }, strand)),
        posting_strand_(std::move(strand)),
        strand_(std::visit([](const auto& s) { return asio::strand<Executor>(s); }, *posting_strand_)),
        inner_executor_(strand_->get_inner_executor()) {
    void* const place = std::addressof(resource_);
    // Braces only where parentheses cannot: an aggregate.
    if constexpr (std::is_constructible_v<Resource, Args...>)
      ::new (place) Resource(std::forward<Args>(args)...);
    else
      ::new (place) Resource{std::forward<Args>(args)...};
    enrol();
  }

  // While home's context is there, hence with it pinned or from within it.
  const asio::strand<Executor>& strand() const noexcept { return *strand_; }
  // To be used then only, but to be copied whenever an initiation is asked for its executor.
  const Executor& inner_executor() const noexcept { return inner_executor_; }

  // At home, or before any function can run.
  Resource& resource() noexcept { return resource_; }

 private:
  ~home() {}  // Not defaulted: the resource, in its union, has been destroyed by then.

  void visit() { drain(); }
  void dropped() noexcept { on_drain_dropped(); }
  void retire_here() { destroy(); }

  void post_drain() override { post(one_shot<home, &home::visit, &home::dropped>(*this)); }
  void post_retirement() override { post(one_shot<home, &home::retire_here, &home::destroy>(*this)); }

  template <class Function>
  void post(Function&& function) {
    std::visit([&](const auto& strand) { post_to(strand, std::forward<Function>(function), memory_); },
               *posting_strand_);
  }

  void destroy_resource() noexcept override {
    if (!strand_) return;
    std::destroy_at(std::addressof(resource_));
    strand_.reset();
    posting_strand_.reset();
  }

  void destroy() noexcept override {
    if (strand_) {
      destroy_resource();
      std::destroy_at(std::addressof(inner_executor_));
    }
    memory_.when_idle([](void* self) noexcept { delete static_cast<home*>(self); }, this);
  }

  reserved_memory memory_;
  // Empty: the resource is gone, and home with it.
  std::optional<posting_strand_t<Executor>> posting_strand_;
  std::optional<asio::strand<Executor>> strand_;
  // Not destroyed if home's context went first: it may be a strand, which must not outlive its context.
  union {
    Executor inner_executor_;
  };
  union {
    Resource resource_;
  };
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_HPP
