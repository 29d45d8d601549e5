// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_OPTIONS_HPP
#define ASYNC_RESOURCE_OPTIONS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace asyncres {
inline namespace v0 {

/// No bound.
inline constexpr std::size_t unlimited = SIZE_MAX;

/// What becomes of a resource when a function throws.
enum class on_failure {
  /// It serves on; the exception is the operation's.
  propagate,
  /// Every operation that has not started, and every later one, completes with `errc::poisoned`.
  poison,
  /// It is destroyed, and made anew for the next function. Needs a factory.
  rebuild,
};

/// What becomes of an operation when as many are queued as may be.
enum class when_full {
  /// It completes with `errc::queue_full`.
  reject,
  /// It waits for its turn, in order, in memory that is its caller's. One that is cancelled while it waits completes,
  /// but its function stays until home gets there, in a block of its own; how many such there are is not bounded.
  wait,
};

/// What becomes of the operations that are queued when a resource is closed.
enum class close_mode {
  /// They run.
  drain,
  /// They complete with `operation_aborted`; the one that runs is asked to give up.
  cancel,
};

/// How a resource is served. Given to the constructor of async_resource, and fixed from then on.
struct resource_options {
  /// Operations that may be queued. The one that runs does not count; one that was cancelled does, until home has
  /// removed it.
  std::size_t max_pending = unlimited;

  when_full full = when_full::reject;

  /// If not zero, an operation that is still queued after this completes with `errc::timed_out_queued`. Costs a reading
  /// of `std::chrono::steady_clock` an operation, and one more at home.
  std::chrono::nanoseconds max_wait{0};

  /// Functions a visit to the strand; then whatever else waits on the strand, and on its threads, gets its turn. Zero
  /// counts as one.
  std::size_t quantum = 64;

  /// If not zero, a visit also ends at the first function that returns later than this after the visit began. Costs a
  /// reading of `std::chrono::steady_clock` a function.
  std::chrono::microseconds max_visit{0};

  on_failure failure = on_failure::propagate;

  /// Whether `resource_stats::queued_time` and `running_time` are kept. Costs three readings of
  /// `std::chrono::steady_clock` an operation.
  bool time_operations = false;
};

/// What a resource has done and has to do. Each figure is right by itself; together they may be some operations apart.
/**
 * Every operation is submitted, once, and ends as one that completed, failed, was cancelled or was rejected.
 */
struct resource_stats {
  /// Operations that wait for their turn; with `max_pending`, never more than that. And whether one runs: 0 or 1.
  std::size_t queued = 0, running = 0;
  /// The most that were found queued. Looked at whenever home takes what has come in.
  std::size_t high_water = 0;
  /// Operations initiated; functions that returned; operations aborted, or timed out, while queued; operations refused
  /// with `errc::queue_full`, `errc::closed` or `errc::poisoned`; functions that threw.
  std::uint64_t submitted = 0, completed = 0, cancelled = 0, rejected = 0, failed = 0;
  /// How long functions waited for their start, and ran, in total: with `resource_options::time_operations`.
  std::chrono::nanoseconds queued_time{0}, running_time{0};
};

/// Says that a resource is made by a factory, at home.
struct from_factory_t {
  explicit from_factory_t() = default;
};
inline constexpr from_factory_t from_factory{};

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_OPTIONS_HPP
