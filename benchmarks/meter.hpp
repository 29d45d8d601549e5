// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_METER_HPP
#define ASYNC_RESOURCE_BENCHMARKS_METER_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <span>
#include <vector>

#include "allocation_counter.hpp"

namespace benchmarks {

// What all share, and only one may touch at a time.
struct tally {
  std::uint64_t uses = 0;
};

// Arithmetic that the compiler can neither leave out nor do ahead: each step needs the one before.
inline void spin(std::uint64_t steps) {
  std::uint64_t x = steps;
  for (; steps; --steps) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    asm volatile("" : "+r"(x));
  }
}

struct plan {
  std::size_t depth = 1;          // callers, each with one operation outstanding
  std::uint64_t operations = 50;  // measured, of each caller
  std::uint64_t spin_steps = 0;   // in each function

  // As many more before and after, of each caller: two at least after, one of which is begun there.
  std::uint64_t warm_up() const { return std::max<std::uint64_t>(operations / 10, 1); }
  std::uint64_t timed() const { return std::max<std::uint64_t>(operations / 8, 2); }
  std::uint64_t all() const { return warm_up() + operations + timed(); }
};

struct reading {
  std::chrono::steady_clock::time_point time;
  std::chrono::nanoseconds cpu{};
  std::uint64_t allocations = 0;
};

inline reading read_now() {
  timespec cpu{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  return {std::chrono::steady_clock::now(), std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec),
          allocations()};
}

class caller;

// Measures a closed loop without slowing it down. The resource counts its own uses, alone, and the function compares
// that with the next mark: at a mark, one part of the run ends and the next begins, while the callers go on.
//
//   warm-up ──▶ measured ──▶ latencies
//
// Callers are started in the first part and end in the last. A clock is read at the marks only, and in the latencies
// part, where each caller times one operation in eight.
class meter {
  friend class caller;

 public:
  explicit meter(const plan& what) : plan_(what), mark_(what.depth * what.warm_up()), left_(what.depth) {
    // Room for all, so that taking a sample allocates nothing.
    samples_.resize(what.depth * (what.timed() / caller_times_one_in + 1));
  }

  // The function of every operation: uses the resource once.
  auto function() {
    return [this](tally& resource) {
      if (plan_.spin_steps) spin(plan_.spin_steps);
      if (++resource.uses == mark_) pass();
      return resource.uses;
    };
  }

  // Called when the last caller has ended, on that caller's thread.
  std::function<void()> on_last_caller = [] {};

  bool complete() const { return left_ == 0; }
  std::uint64_t operations() const { return plan_.depth * plan_.operations; }
  const reading& start() const { return start_; }
  const reading& end() const { return end_; }

  std::vector<std::uint64_t> sorted_latencies() {
    samples_.resize(std::min<std::size_t>(taken_, samples_.size()));
    std::sort(samples_.begin(), samples_.end());
    return samples_;
  }

 private:
  static constexpr unsigned caller_times_one_in = 8;

  void pass() {
    if (!started_) {
      started_ = true;
      mark_ += operations();
      start_ = read_now();
    } else {
      end_ = read_now();
      sampling_.store(true, std::memory_order_relaxed);
    }
  }

  void take(std::chrono::nanoseconds latency) {
    const auto index = taken_.fetch_add(1, std::memory_order_relaxed);
    if (index < samples_.size()) samples_[index] = std::uint64_t(latency.count());
  }

  const plan plan_;

  // Touched with the resource only.
  std::uint64_t mark_;
  bool started_ = false;
  reading start_;
  reading end_;

  // Read by all callers in every operation, and written once: a cache line of its own.
  alignas(64) std::atomic<bool> sampling_ = false;

  alignas(64) std::atomic<std::size_t> left_;
  std::atomic<std::size_t> taken_ = 0;
  std::vector<std::uint64_t> samples_;
};

// One of the callers, which has one operation outstanding at a time:
//
//   while (me.next()) me.got(<the result of me.function(), having used the resource>);
//
// Aligned, so that two callers on two threads share no cache line.
class alignas(64) caller {
 public:
  caller(meter& the_meter, std::size_t index)
      : meter_(&the_meter), left_(the_meter.plan_.all()), until_timed_(unsigned(index % every)) {}

  auto function() const { return meter_->function(); }

  bool next() {
    if (left_ == 0) {
      if (meter_->left_.fetch_sub(1) == 1) meter_->on_last_caller();
      return false;
    }
    if (meter_->sampling_.load(std::memory_order_relaxed) && until_timed_-- == 0) {
      until_timed_ = every - 1;
      timed_ = true;
      asked_ = std::chrono::steady_clock::now();
    }
    return true;
  }

  void got(std::uint64_t use) {
    --left_;
    last_use_ = use;
    if (timed_) {
      timed_ = false;
      meter_->take(std::chrono::steady_clock::now() - asked_);
    }
  }

  std::uint64_t last_use() const { return last_use_; }

 private:
  static constexpr unsigned every = meter::caller_times_one_in;

  meter* meter_;
  std::uint64_t left_;
  std::uint64_t last_use_ = 0;
  std::chrono::steady_clock::time_point asked_;
  unsigned until_timed_;
  bool timed_ = false;
};

// Whether each operation has used the resource once, alone: the last use is as many as there were operations.
inline bool all_accounted_for(std::span<const caller> callers, const plan& what) {
  std::uint64_t last_use = 0;
  for (const auto& each : callers) last_use = std::max(last_use, each.last_use());
  return last_use == what.depth * what.all();
}

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_METER_HPP
