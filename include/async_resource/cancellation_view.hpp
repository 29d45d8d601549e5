// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_CANCELLATION_VIEW_HPP
#define ASYNC_RESOURCE_CANCELLATION_VIEW_HPP

#include <async_resource/detail/run_watch.hpp>

namespace asyncres {
inline namespace v0 {

/// Tells a running function whether its operation has been cancelled. Valid during the call, cheap to copy and to ask.
/**
 * A function that takes one as its last argument is given it. What it does when asked to give up is its own affair: the
 * operation completes with what it returns or throws.
 *
 * @par Thread Safety
 * May be asked by any thread, as long as the function runs.
 */
class cancellation_view {
 public:
  explicit cancellation_view(const detail::run_watch& watch) noexcept : watch_(&watch) {}

  /// Whether the operation was cancelled, by its cancellation slot, async_resource::cancel() or
  /// `async_close(close_mode::cancel)`. Once true it stays true.
  [[nodiscard]] bool requested() const noexcept { return watch_->asked_to_stop(); }

 private:
  const detail::run_watch* watch_;
};

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_CANCELLATION_VIEW_HPP
