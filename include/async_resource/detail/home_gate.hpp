// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_GATE_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_GATE_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <system_error>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What may still run: no operation that was submitted before the last cancellation of all, has been queued for too
// long, or belongs to a lease that has ended; none at all any more once home is poisoned, or being closed.
//
//   open --> poisoned --> closing --> closed      by home; what is not open is never open again
//   open ---------------> closing
class home_gate {
 public:
  using clock = std::chrono::steady_clock;

  explicit home_gate(const resource_options& options) noexcept
      : max_wait_(std::chrono::ceil<clock::duration>(std::min(options.max_wait, longest_wait))),
        stamps_time_(options.time_operations || limits_wait()),
        unchecked_(!limits_wait()) {}

  bool limits_wait() const noexcept { return max_wait_.count() > 0; }
  clock::duration max_wait() const noexcept { return max_wait_; }

  // For an operation that is about to be submitted, and thereby becomes one that is counted and can be refused.
  task_stamp stamp(std::uint32_t lease = 0) const noexcept {
    // Relaxed: what was submitted before a cancellation, in the order that the threads see, was stamped before.
    return {epoch_.load(std::memory_order_relaxed), lease, stamps_time_ ? clock::now() : clock::time_point()};
  }

  // By any thread: nothing more is admitted. Relaxed: what is on its way is refused when its turn comes.
  void stop_admission() noexcept { admits_.store(false, std::memory_order_relaxed); }
  bool admits() const noexcept { return admits_.load(std::memory_order_relaxed); }

  // By any thread: refuses all that was submitted before. Sequentially consistent, as is epoch(), for who writes
  // something of his own before he asks for it: either he sees the new one, or whoever began it sees that.
  std::uint32_t begin_epoch() noexcept { return epoch_.fetch_add(1, std::memory_order_seq_cst) + 1; }
  std::uint32_t epoch() const noexcept { return epoch_.load(std::memory_order_seq_cst); }
  // At home, after the function has been announced as running. Both sides write: either this sees the new epoch, or
  // whoever began it sees the function run.
  bool cancelled_since(const task_stamp& stamp) noexcept {
    return epoch_.fetch_add(0, std::memory_order_acq_rel) != stamp.epoch;
  }

  // The rest is for home alone.

  void poison() noexcept {
    if (state_ == state::open) set(state::poisoned);
  }
  void begin_close() noexcept { set(state::closing); }
  void end_close() noexcept { set(state::closed); }
  bool closing() const noexcept { return state_ == state::closing; }
  bool closed() const noexcept { return state_ == state::closed; }

  // From here on the quick answer is not enough.
  void check_all() noexcept { unchecked_ = false; }

  // The quick answer for nearly all.
  bool is_unquestioned(const home_task& task) const noexcept {
    const task_stamp& stamp = task.stamp();
    return unchecked_ && ((stamp.epoch ^ epoch_.load(std::memory_order_relaxed)) | stamp.lease) == 0;
  }

  // Why the task must not run, if so. `held`: the lease that is held.
  std::error_code refusal_of(const home_task& task, std::uint32_t held = 0) const noexcept {
    if (!task.is_operation()) return {};
    const task_stamp& stamp = task.stamp();
    if (stamp.epoch != epoch_.load(std::memory_order_relaxed)) return asio::error::operation_aborted;
    if (stamp.lease != 0) {
      if (stamp.lease != held) return errc::closed;  // It has ended.
      return state_ == state::poisoned ? std::error_code(errc::poisoned) : std::error_code();
    }
    if (state_ == state::poisoned) return errc::poisoned;
    if (state_ != state::open) return errc::closed;
    if (limits_wait() && clock::now() >= stamp.time + max_wait_) return errc::timed_out_queued;
    return {};
  }

 private:
  enum class state : unsigned char { open, poisoned, closing, closed };

  void set(state now) noexcept {
    state_ = now;
    check_all();
  }

  // So that the clock does not overflow.
  static constexpr std::chrono::nanoseconds longest_wait = std::chrono::nanoseconds::max() / 4;

  const clock::duration max_wait_;
  const bool stamps_time_;
  bool unchecked_;  // An operation is refused only if there was a cancellation.
  state state_ = state::open;
  std::atomic<bool> admits_{true};
  std::atomic<std::uint32_t> epoch_{1};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_GATE_HPP
