// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_TRANSFORM_GATE_HPP
#define ASYNC_RESOURCE_DETAIL_TRANSFORM_GATE_HPP

#include <atomic>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Who still has to do with a call of a C API. The last to leave delivers; until then the call stays where it is.
//
//   inside   start() is running, or cancel(): in the thread that called it
//   awaited  the callback has not come
//   asked    cancellation was requested; for good
//
//   inside|awaited       --started-->      awaited
//   awaited              --ask-->          inside|awaited|asked   who asks calls cancel()
//   inside|awaited       --ask-->          inside|awaited|asked   who called start() calls cancel() when that returns
//   inside|awaited|asked --left-->         awaited|asked
//   awaited[|asked]      --called_back-->  [asked]                the callback delivers
//   inside|awaited[|...] --called_back-->  inside[|...]           who is inside delivers when that returns
//
// Ordering: to leave releases what was done to the call, and the last to leave acquires it.
class transform_gate {
 public:
  transform_gate() = default;
  transform_gate(const transform_gate&) = delete;
  transform_gate& operator=(const transform_gate&) = delete;

  enum class next { nothing, cancel, deliver };

  // start() has returned. To cancel: then still inside.
  next started() noexcept {
    unsigned char seen = state_.load(std::memory_order_relaxed);
    do
      if (seen == (inside | awaited | asked)) return next::cancel;
    while (!state_.compare_exchange_weak(seen, static_cast<unsigned char>(seen & ~inside), std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
    return seen & awaited ? next::nothing : next::deliver;
  }

  // The callback has come, or cancel() has returned. True: to deliver.
  [[nodiscard]] bool called_back() noexcept { return leave(awaited); }
  [[nodiscard]] bool left() noexcept { return leave(inside); }

  // Cancellation is requested. True: to cancel, and then inside.
  [[nodiscard]] bool ask() noexcept {
    unsigned char seen = state_.load(std::memory_order_relaxed);
    do
      if (!(seen & awaited) || seen & asked) return false;
    while (!state_.compare_exchange_weak(seen, seen | inside | asked, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
    return !(seen & inside);
  }

 private:
  enum : unsigned char { inside = 1, awaited = 2, asked = 4 };

  bool leave(unsigned char part) noexcept {
    const auto seen = state_.fetch_and(static_cast<unsigned char>(~part), std::memory_order_acq_rel);
    return !(seen & ~part & (inside | awaited));
  }

  std::atomic<unsigned char> state_{inside | awaited};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_TRANSFORM_GATE_HPP
