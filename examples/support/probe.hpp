// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_PROBE_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_PROBE_HPP

#include <algorithm>
#include <array>
#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <ostream>

namespace example {

/// How late something was, in as much memory however often: to a hundredth of a millisecond, up to a tenth of a second.
class lateness {
 public:
  using milliseconds = std::chrono::duration<double, std::milli>;

  void add(milliseconds late) noexcept {
    ++buckets_[std::min(buckets_.size() - 1, static_cast<std::size_t>(std::max(late / width, 0.0)))];
    ++readings_;
    worst_ = std::max(worst_, late);
  }

  std::uint64_t readings() const noexcept { return readings_; }
  milliseconds worst() const noexcept { return worst_; }

  /// How many were later than that, a multiple of a hundredth of a millisecond.
  std::uint64_t later_than(milliseconds limit) const noexcept {
    const auto first = buckets_.begin() + std::llround(limit / width);
    return std::accumulate(first, buckets_.end(), std::uint64_t(0));
  }

  /// So many in a hundred were no later than that. There is one reading at least.
  milliseconds percentile(unsigned percent) const noexcept {
    std::uint64_t left = (readings_ - 1) * percent / 100;
    std::size_t i = 0;
    for (; left >= buckets_[i]; ++i) left -= buckets_[i];
    return i + 1 == buckets_.size() ? worst_ : std::min(worst_, width * static_cast<double>(i + 1));
  }

 private:
  static constexpr milliseconds width{0.01};

  std::array<std::uint64_t, 10'000> buckets_{};  // the last has what is later
  std::uint64_t readings_ = 0;
  milliseconds worst_{0};
};

/// Wait for a millisecond again and again, and note how late it was each time.
/**
 * On an I/O thread that never blocks, it is late by the scheduler's jitter; on one that does, by what it waited for.
 */
inline asio::awaitable<void> probe(const bool& stopping, lateness& late) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!stopping) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    late.add(std::chrono::steady_clock::now() - timer.expiry());
  }
}

/// Write median, 90th percentile and maximum of one thread's readings, of which there is one at least, and how many
/// were later than a scheduler's jitter.
inline void write_summary(std::ostream& out, const lateness& late) {
  constexpr lateness::milliseconds jitter(5);
  out << "timers late by: median " << late.percentile(50).count() << " ms, 90% " << late.percentile(90).count()
      << " ms, worst " << late.worst().count() << " ms; " << late.later_than(jitter) << " of " << late.readings()
      << " by more than " << jitter.count() << " ms\n";
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_PROBE_HPP
