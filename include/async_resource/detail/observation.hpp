// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_OBSERVATION_HPP
#define ASYNC_RESOURCE_DETAIL_OBSERVATION_HPP

#include <atomic>
#include <cstdint>

#include <async_resource/observer.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The number by which an observer knows an operation.
template <class Observer>
class operation_id {
 public:
  std::uint64_t get() const noexcept { return id_; }

 private:
  static std::uint64_t next() noexcept {
    static constinit std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  std::uint64_t id_ = next();
};

// Nobody asks.
template <>
class operation_id<no_observer> {};

// Tells an observer what it has a member for.
template <class Observer>
class observation {
 public:
  using id = operation_id<Observer>;

  void queued([[maybe_unused]] const id& which) noexcept {
    if constexpr (requires { observer_.on_queued(which.get()); }) observer_.on_queued(which.get());
  }
  void started([[maybe_unused]] const id& which) noexcept {
    if constexpr (requires { observer_.on_started(which.get()); }) observer_.on_started(which.get());
  }
  void finished([[maybe_unused]] const id& which) noexcept {
    if constexpr (requires { observer_.on_finished(which.get()); }) observer_.on_finished(which.get());
  }
  void cancelled([[maybe_unused]] const id& which) noexcept {
    if constexpr (requires { observer_.on_cancelled(which.get()); }) observer_.on_cancelled(which.get());
  }
  void rejected([[maybe_unused]] const id& which) noexcept {
    if constexpr (requires { observer_.on_rejected(which.get()); }) observer_.on_rejected(which.get());
  }

 private:
  [[no_unique_address]] Observer observer_;
};

// Nothing to tell, and no code.
template <>
class observation<no_observer> {
 public:
  using id = operation_id<no_observer>;

  void queued(const id&) noexcept {}
  void started(const id&) noexcept {}
  void finished(const id&) noexcept {}
  void cancelled(const id&) noexcept {}
  void rejected(const id&) noexcept {}
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_OBSERVATION_HPP
