// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_COROUTINE_WATCH_HPP
#define ASYNC_RESOURCE_DETAIL_COROUTINE_WATCH_HPP

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A coroutine function, by whoever cancels it.
class running_coroutine {
 public:
  // In any thread.
  virtual void cancel() noexcept = 0;

 protected:
  ~running_coroutine() = default;
};

// Which coroutine function has a home's resource, for whoever cancels all. It is not kept by that.
class coroutine_watch {
 public:
  // At home. It was initiated in that epoch; should another one have begun, it is for the caller to see.
  void begin(const std::shared_ptr<running_coroutine>& coroutine, std::uint32_t epoch) noexcept {
    const std::lock_guard lock(mutex_);
    coroutine_ = coroutine;
    epoch_ = epoch;
  }
  void end() noexcept {
    const std::lock_guard lock(mutex_);
    coroutine_.reset();
  }

  // In any thread: cancels it, if it was initiated before that epoch began.
  void cancel(std::uint32_t epoch) noexcept {
    if (const auto coroutine = before(epoch)) coroutine->cancel();
  }

 private:
  std::shared_ptr<running_coroutine> before(std::uint32_t epoch) noexcept {
    const std::lock_guard lock(mutex_);
    return epoch_ < epoch ? coroutine_.lock() : nullptr;
  }

  std::mutex mutex_;  // Guards the others.
  std::weak_ptr<running_coroutine> coroutine_;
  std::uint32_t epoch_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_COROUTINE_WATCH_HPP
