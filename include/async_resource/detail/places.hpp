// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_PLACES_HPP
#define ASYNC_RESOURCE_DETAIL_PLACES_HPP

#include <atomic>
#include <cstddef>

#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The places in a queue that rejects what finds none.
class places {
 public:
  explicit places(const resource_options& options) noexcept
      : limit_(options.full == when_full::reject ? options.max_pending : unlimited) {}

  bool bounded() const noexcept { return limit_ != unlimited; }

  // Relaxed: it counts, and orders nothing.
  [[nodiscard]] bool take() noexcept {
    if (!bounded()) return true;
    std::size_t taken = taken_.load(std::memory_order_relaxed);
    do
      if (taken >= limit_) return false;
    while (!taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed));
    return true;
  }
  void give_back() noexcept {
    if (bounded()) taken_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> taken_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_PLACES_HPP
