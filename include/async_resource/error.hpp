// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_ERROR_HPP
#define ASYNC_RESOURCE_ERROR_HPP

#include <string>
#include <system_error>

namespace asyncres {
inline namespace v0 {

/// What the library itself reports. Convertible to `std::error_code`, which is what standalone Asio uses.
enum class errc {
  /// The resource has as many operations queued as it was allowed.
  queue_full = 1,
  /// The resource was closed, or the execution context it lived on has been shut down.
  closed,
  /// An earlier function failed, and the resource does not serve any more.
  poisoned,
  /// The calling thread would have waited for itself.
  would_deadlock,
  /// The operation was still queued when the time it may wait had passed.
  timed_out_queued,
  /// Something that can only be done at home was attempted elsewhere.
  not_at_home,
  /// The function threw something that no error code describes.
  exception,
  /// A payload is longer than the frame's prefix or the caller's limit allows.
  frame_too_large,
  /// The stream ended inside a frame.
  frame_truncated,
};

namespace detail {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "async_resource"; }

  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::queue_full: return "the queue of the resource is full";
      case errc::closed: return "the resource is closed";
      case errc::poisoned: return "the resource failed earlier and no longer serves";
      case errc::would_deadlock: return "waiting here would deadlock";
      case errc::timed_out_queued: return "timed out while queued";
      case errc::not_at_home: return "not on the strand of the resource";
      case errc::exception: return "the function threw an exception";
      case errc::frame_too_large: return "the frame is too large";
      case errc::frame_truncated: return "the stream ended inside a frame";
    }
    return "unknown async_resource error";
  }
};

}  // namespace detail

/// The category of `errc`.
inline const std::error_category& error_category() noexcept {
  static const detail::category instance;
  return instance;
}

/// Found by argument-dependent lookup when an `errc` converts to a `std::error_code`.
inline std::error_code make_error_code(errc value) noexcept {
  return {static_cast<int>(value), error_category()};
}

}  // namespace v0
}  // namespace asyncres

template <>
struct std::is_error_code_enum<asyncres::errc> : std::true_type {};

#endif  // ASYNC_RESOURCE_ERROR_HPP
