// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_EXPIRY_HPP
#define ASYNC_RESOURCE_DETAIL_EXPIRY_HPP

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <system_error>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Wakes up when an operation may have been queued for too long: on a system thread, since home may be busy with the
// very function that the others wait for, and its context with it. A timer is pending only while something is queued.
//
// Outlives the home, whose owner it becomes only for the moment of waking. Each wait owns its timer: one that is
// pending when the program ends, or the home, must not be touched any more, since the system context may be gone.
//
// Ordering: `wakes_at_` is modified on both sides, after something was queued, and before the queue is looked at:
// whichever comes second sees what the other did.
template <class Home>
class expiry : public std::enable_shared_from_this<expiry<Home>> {
  using clock = std::chrono::steady_clock;

 public:
  expiry(Home& home, clock::duration limit) : limit_(limit), home_(&home) {}

  // Something has been queued.
  void arm() noexcept { wake_at(clock::now() + limit_); }

  // The home goes.
  void forget_home() noexcept {
    const std::lock_guard lock(mutex_);
    home_ = nullptr;
  }

 private:
  using timer_type = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, asio::system_executor>;
  static constexpr clock::rep never = clock::time_point::max().time_since_epoch().count();

  // Unless it will be awake by then.
  void wake_at(clock::time_point when) noexcept {
    const clock::rep wanted = when.time_since_epoch().count();
    clock::rep earliest = wakes_at_.fetch_add(0, std::memory_order_acq_rel);
    do
      if (earliest <= wanted) return;
    while (!wakes_at_.compare_exchange_weak(earliest, wanted, std::memory_order_acq_rel));
    try {
      const auto timer = std::make_shared<timer_type>(asio::system_executor(), when);
      timer->async_wait([self = this->shared_from_this(), timer, wanted](std::error_code) { self->wake(wanted); });
    } catch (...) {
      forget(wanted);  // No memory: it is refused when its turn comes.
    }
  }

  void wake(clock::rep when) noexcept {
    forget(when);
    if (const auto home = owned_home())
      if (const auto next = home->expire(); next != clock::time_point::max()) wake_at(next);
  }

  void forget(clock::rep when) noexcept {
    // If it is another's by now, that one is earlier, and has seen to it itself.
    wakes_at_.compare_exchange_strong(when, never, std::memory_order_acq_rel);
  }

  auto owned_home() noexcept {
    const std::lock_guard lock(mutex_);
    return home_ ? home_->try_own() : decltype(home_->try_own())();
  }

  const clock::duration limit_;
  std::atomic<clock::rep> wakes_at_{never};
  std::mutex mutex_;  // Guards home_.
  Home* home_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_EXPIRY_HPP
