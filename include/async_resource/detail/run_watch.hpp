// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_RUN_WATCH_HPP
#define ASYNC_RESOURCE_DETAIL_RUN_WATCH_HPP

#include <atomic>
#include <cstdint>
#include <thread>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Whether the function that runs at home has been asked to give up. Sees to it that an interrupt hits that function, or
// none.
//
//   idle          --begin--> running              home
//   running         --ask--> asked                  whoever cancels, where there is nothing to interrupt
//   running, asked  --ask--> interrupting --> interrupted     and where there is, around the call
//   running, asked, interrupted --end--> idle     home, which waits while an interrupt is under way
//
// The word also holds the epoch of the operation that runs, so that cancelling all that came before some moment spares
// the next one.
//
// Ordering: ask acquires what begin released, the resource in the state in which the function finds it; end acquires
// what the interrupt did to it.
class run_watch {
 public:
  void begin(std::uint32_t epoch) noexcept { word_.store(word(epoch, running), std::memory_order_release); }

  // At home. `finish` is called if there was an interrupt, before it is waited for.
  template <class Finish>
  void end(Finish&& finish) noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while (phase(seen) == running || phase(seen) == asked)
      if (word_.compare_exchange_weak(seen, idle, std::memory_order_acquire, std::memory_order_relaxed)) return;
    finish();
    while (phase(word_.load(std::memory_order_acquire)) == interrupting) std::this_thread::yield();
    word_.store(idle, std::memory_order_relaxed);
  }

  bool asked_to_stop() const noexcept { return phase(word_.load(std::memory_order_acquire)) > running; }

  // A function whose operation was initiated before `epoch` began. True: interrupt it, and call interrupted().
  bool ask(std::uint32_t epoch, bool interrupt) noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while ((phase(seen) == running || (interrupt && phase(seen) == asked)) && epoch_of(seen) < epoch)
      if (word_.compare_exchange_weak(seen, word(epoch_of(seen), interrupt ? interrupting : asked),
                                      std::memory_order_acq_rel, std::memory_order_relaxed))
        return interrupt;
    return false;
  }
  void interrupted() noexcept { word_.store(word(0, done), std::memory_order_release); }

 private:
  enum phases : std::uint64_t { idle, running, asked, interrupting, done };

  static std::uint64_t word(std::uint32_t epoch, phases phase) noexcept { return std::uint64_t(epoch) << 8 | phase; }
  static phases phase(std::uint64_t word) noexcept { return phases(word & 0xff); }
  static std::uint32_t epoch_of(std::uint64_t word) noexcept { return std::uint32_t(word >> 8); }

  std::atomic<std::uint64_t> word_{idle};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_RUN_WATCH_HPP
