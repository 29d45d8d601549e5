// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_PROBE_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_PROBE_HPP

#include <algorithm>
#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <ostream>
#include <vector>

namespace example {

using lateness = std::vector<std::chrono::duration<double, std::milli>>;

/// Wait for a millisecond again and again, and note how late it was each time.
/**
 * On an I/O thread that never blocks, it is late by the scheduler's jitter; on one that does, by what it waited for.
 */
inline asio::awaitable<void> probe(const bool& stopping, lateness& late) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!stopping) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    late.push_back(std::chrono::steady_clock::now() - timer.expiry());
  }
}

/// Write median, 90th percentile and maximum of one thread's readings, of which there is one at least, and how many
/// were later than a scheduler's jitter.
inline void write_summary(std::ostream& out, lateness late) {
  constexpr lateness::value_type jitter(5);
  std::sort(late.begin(), late.end());
  const auto at = [&](std::size_t percent) { return late[(late.size() - 1) * percent / 100].count(); };
  const auto too_late = late.end() - std::upper_bound(late.begin(), late.end(), jitter);
  out << "timers late by: median " << at(50) << " ms, 90% " << at(90) << " ms, worst " << at(100) << " ms; " << too_late
      << " of " << late.size() << " by more than " << jitter.count() << " ms\n";
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_PROBE_HPP
