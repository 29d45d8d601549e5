// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_DROP_WATCH_HPP
#define ASYNC_RESOURCE_DETAIL_DROP_WATCH_HPP

#include <utility>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Notices that an executor dropped a function object in the very call that was to take it: by unwinding, or because it
// has been shut down. The dropped object's target asks notice(), and if that says yes leaves all to the caller.
class drop_watch {
 public:
  explicit drop_watch(const void* target) noexcept : target_(target), outer_(std::exchange(innermost_, this)) {}
  drop_watch(const drop_watch&) = delete;
  drop_watch& operator=(const drop_watch&) = delete;
  ~drop_watch() { innermost_ = outer_; }

  bool dropped() const noexcept { return dropped_; }

  static bool notice(const void* target) noexcept {
    for (drop_watch* watch = innermost_; watch; watch = watch->outer_)
      if (watch->target_ == target) return watch->dropped_ = true;
    return false;
  }

 private:
  inline static thread_local constinit drop_watch* innermost_ = nullptr;

  const void* target_;
  drop_watch* outer_;
  bool dropped_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_DROP_WATCH_HPP
