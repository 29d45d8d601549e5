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

// Wakes up when an operation may have been queued for too long: on a system thread, since home may be busy with the very
// function that the others wait for, and its context with it. A timer is pending only while something is queued.
//
// Outlives the home, whose owner it becomes only for the moment of waking.
//
// Ordering: `armed_` is exchanged on both sides, after something was queued, and before the queue is looked at: whichever
// comes second sees what the other did.
template <class Home>
class expiry : public std::enable_shared_from_this<expiry<Home>> {
  using clock = std::chrono::steady_clock;

 public:
  expiry(Home& home, std::chrono::nanoseconds limit)
      : limit_(std::chrono::ceil<clock::duration>(limit)), timer_(asio::system_executor()), home_(&home) {}

  // Something has been queued.
  void arm() noexcept { wake_at(clock::now() + limit_); }

  // The home goes.
  void forget_home() noexcept {
    const std::lock_guard lock(mutex_);
    home_ = nullptr;
    timer_.cancel();
  }

 private:
  void wake_at(clock::time_point when) noexcept {
    if (armed_.exchange(true, std::memory_order_acq_rel)) return;
    try {
      const std::lock_guard lock(mutex_);
      if (!home_) return;
      timer_.expires_at(when);
      timer_.async_wait([self = this->shared_from_this()](std::error_code) { self->wake(); });
    } catch (...) {
      armed_.store(false, std::memory_order_relaxed);  // No memory: it is refused when its turn comes.
    }
  }

  void wake() noexcept {
    armed_.exchange(false, std::memory_order_acq_rel);
    if (const auto home = owned_home())
      if (const auto next = home->expire(); next != clock::time_point::max()) wake_at(next);
  }

  auto owned_home() noexcept {
    const std::lock_guard lock(mutex_);
    return home_ ? home_->try_own() : decltype(home_->try_own())();
  }

  const clock::duration limit_;
  std::atomic<bool> armed_{false};
  std::mutex mutex_;  // Guards the rest.
  asio::basic_waitable_timer<clock, asio::wait_traits<clock>, asio::system_executor> timer_;
  Home* home_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_EXPIRY_HPP
