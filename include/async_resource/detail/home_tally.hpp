// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_TALLY_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_TALLY_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/counter.hpp>
#include <async_resource/detail/home_queue.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What becomes of operations whose functions are not called, for resource_stats.
class home_tally {
 public:
  // By any thread: it was refused before it was queued.
  void note_turned_away() noexcept { turned_away_.add(1); }
  // It ended in the queue, with that error. True: it was given up by those who wanted it, false: it was refused.
  bool note_refused(std::error_code error) noexcept {
    const bool given_up = error == asio::error::operation_aborted || error == errc::timed_out_queued;
    (given_up ? cancelled_ : rejected_).add(1);
    return given_up;
  }

  // Adds what there is to tell, of the queue as well.
  void read(resource_stats& stats, const home_queue& queue, std::size_t max_pending) const noexcept {
    const std::uint64_t came = queue.came(), left = std::min(came, queue.left()), away = turned_away_.get();
    stats.queued += std::min<std::size_t>(came - left, max_pending);
    stats.high_water += std::min<std::size_t>(queue.high_water(), max_pending);
    stats.cancelled += cancelled_.get();
    stats.rejected += rejected_.get() + away;
    stats.submitted += came + away;
  }

 private:
  shared_counter turned_away_, cancelled_, rejected_;
};

// Of several homes together.
inline void add(resource_stats& sum, const resource_stats& more) noexcept {
  sum.queued += more.queued;
  sum.running += more.running;
  sum.high_water += more.high_water;
  sum.submitted += more.submitted;
  sum.completed += more.completed;
  sum.cancelled += more.cancelled;
  sum.rejected += more.rejected;
  sum.failed += more.failed;
  sum.queued_time += more.queued_time;
  sum.running_time += more.running_time;
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_TALLY_HPP
