// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_LOOP_ALARM_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_LOOP_ALARM_HPP

#include <async_resource/python/detail/python.hpp>

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// What can be woken.
class sleeper {
 public:
  // By any thread.
  virtual void wake() noexcept = 0;

 protected:
  ~sleeper() = default;
};

// Wakes a loop when its time has come, or its descriptor is readable: from a system thread, so that waiting neither
// depends on home's executor nor keeps its context at work.
//
// Each wait owns its timer or descriptor, for the system context may be gone before the loop is: at the end of a
// program.
class loop_alarm {
  using clock = std::chrono::steady_clock;

 public:
  // To be armed again after each step, by one thread at a time. `after`: nothing if only the descriptor can tell.
  void arm(const std::shared_ptr<sleeper>& who, int descriptor, std::optional<std::chrono::nanoseconds> after) {
    if (after) watch_clock(who, clock::now() + *after);
    watch_descriptor(who, descriptor);
  }

  // For good.
  void stop() noexcept {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    resting_.reset();
    if (const auto timer = timer_.lock()) timer->cancel();
    std::error_code ignored;
    if (const auto watched = watched_.lock()) watched->cancel(ignored);
  }

 private:
  using timer_type = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, asio::system_executor>;
  using descriptor_type = asio::posix::basic_stream_descriptor<asio::system_executor>;

  // Due times are rounded up as asyncio's own selectors round them, so that tasks share wake-ups.
  static clock::time_point rounded_up(clock::time_point when) noexcept {
    return clock::time_point(std::chrono::ceil<std::chrono::milliseconds>(when.time_since_epoch()));
  }

  void watch_clock(const std::shared_ptr<sleeper>& who, clock::time_point when) {
    when = rounded_up(when);
    const std::lock_guard lock(mutex_);
    if (stopped_ || wakes_at_ <= when) return;
    if (const auto later = timer_.lock()) later->cancel();
    const auto timer = std::make_shared<timer_type>(asio::system_executor(), when);
    timer->async_wait([this, when, timer, weak = std::weak_ptr(who)](std::error_code error) {
      const auto woken = weak.lock();
      if (error || !woken) return;
      forget(when);
      woken->wake();
    });
    wakes_at_ = when;
    timer_ = timer;
  }

  void watch_descriptor(const std::shared_ptr<sleeper>& who, int descriptor) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !watched_.expired()) return;
    auto watched = resting_ ? std::move(resting_) : duplicate(descriptor);
    auto& waiting = *watched;
    watched_ = watched;
    waiting.async_wait(descriptor_type::wait_read, [this, watched, weak = std::weak_ptr(who)](std::error_code) mutable {
      const auto woken = weak.lock();
      if (!woken) return;
      rest(std::move(watched));
      woken->wake();
    });
  }

  static std::shared_ptr<descriptor_type> duplicate(int descriptor) {
    const int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) throw std::system_error(errno, std::generic_category(), "event loop");
    return std::make_shared<descriptor_type>(asio::system_executor(), copy);
  }

  void forget(clock::time_point when) noexcept {
    const std::lock_guard lock(mutex_);
    if (wakes_at_ == when) wakes_at_ = clock::time_point::max();
  }

  void rest(std::shared_ptr<descriptor_type> watched) noexcept {
    const std::lock_guard lock(mutex_);
    if (!stopped_) resting_ = std::move(watched);
    watched_.reset();
  }

  std::mutex mutex_;  // Guards what follows.
  bool stopped_ = false;
  clock::time_point wakes_at_ = clock::time_point::max();
  std::weak_ptr<timer_type> timer_;
  std::weak_ptr<descriptor_type> watched_;
  std::shared_ptr<descriptor_type> resting_;  // Between two waits.
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_LOOP_ALARM_HPP
