// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_POOL_MEMBER_HPP
#define ASYNC_RESOURCE_DETAIL_POOL_MEMBER_HPP

#include <cstddef>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What a pump does next, and with which task.
struct pool_step {
  enum { run, refuse, again, rest, depart } what;
  home_task* task = nullptr;
  std::error_code error{};
  std::shared_ptr<void> pool{};  // Owned until it rests.
};

// One resource of a pool: its home, and the pump that brings there what the pool has queued. The pump is a task in the
// home's own queue, at most once, and runs one function a turn: home counts it against the visit, and what was
// submitted to that home alone has its turn in between.
//
//   idle     --> awake    something was queued, or home got something of its own to do
//   awake    --> awake    home: there was a function to run, or to wait behind
//   awake    --> idle     home: nothing is queued
//   awake    --> resting  home: the resource is poisoned, or leaves as soon as what is on its way has come
//   idle     --> resting  it is to leave
//   resting  --> awake    likewise
//   awake    --> gone     home: the resource has been destroyed, or home has
//
// Awake, it owns the pool. The pool's mutex guards `status`.
template <class Pool>
class pool_member final : public home_task {
 public:
  using home_type = typename Pool::home_type;

  enum class phase : unsigned char { idle, awake, resting, gone };

  struct status_type {
    phase now = phase::idle;
    bool poisoned = false;
    bool leaving = false;
    bool departing = false;      // Its home is being closed: it comes once more, to be gone.
    bool bypassed = false;       // Home was given something of its own, perhaps behind the pump.
    std::size_t entering = 0;    // Operations on their way to home's own queue.
    std::shared_ptr<Pool> pool;  // While awake.
  } status;

  pool_member(Pool& pool, home_ref<home_type> home) noexcept : pool_(&pool), home_(std::move(home)) {}

  const home_ref<home_type>& home() const noexcept { return home_; }

  // By the one that has woken it, and owns the pool.
  void start(std::optional<context_pin>& held) noexcept {
    const home_ref<home_type> home = home_;  // The pump may be through, and this destroyed, before submit() is.
    try {
      if (home->submit(*this, held)) return;
    } catch (...) {
      // The executor could not be told.
    }
    held.reset();  // What is destroyed now may own the context.
    fail(errc::closed, nullptr);
  }

  void run(home_base& home) noexcept override {
    for (;;) {
      pool_step step = pool_->next_step(*this);
      switch (step.what) {
        case pool_step::refuse:
          step.task->fail(step.error, &home);
          // All that were cancelled together go at once; others count, since new ones may come for ever.
          if (step.error != asio::error::operation_aborted) return come_again(home);
          break;
        case pool_step::run: step.task->run(home); return come_again(home);
        case pool_step::again: return come_again(home);
        case pool_step::rest: return rest(home, std::move(step.pool));
        case pool_step::depart:
          if (!home.wait_for_close(*this)) fail(errc::closed, &home);
          return;
      }
    }
  }

  void abandon(home_base* draining) noexcept override {
    depart(draining, [draining](home_task& task) { task.abandon(draining); });
  }

  // Home is gone, or the resource is, and nobody else is left for what is queued.
  void fail(std::error_code error, home_base* draining) noexcept override {
    depart(draining, [error, draining](home_task& task) { task.fail(error, draining); });
  }

 private:
  void come_again(home_base& home) noexcept {
    if (!home.try_submit(*this)) fail(errc::closed, &home);
  }

  static void rest(home_base& home, std::shared_ptr<void> pool) noexcept {
    const user_code now(&home);
    pool.reset();
  }

  template <class Lose>
  void depart(home_base* draining, Lose&& lose) noexcept {
    resource_stats total;
    {
      const user_code now(draining);
      total = home_->stats();
    }
    auto left = pool_->depart(*this, total);
    while (!left.queued.empty()) lose(left.queued.pop());
    while (!left.waiting.empty()) left.waiting.pop().fail({}, draining);
    const user_code now(draining);
    if (std::optional<context_pin> none; left.woken) left.woken->start(none);
    left = {};
  }

  Pool* pool_;
  home_ref<home_type> home_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_POOL_MEMBER_HPP
