// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_GATE_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_GATE_HPP

#include <atomic>
#include <cstddef>

#include <async_resource/python/detail/fork_mark.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// Stands between everything that holds Python objects and their interpreter; shared by all of them.
//
//          close(), once              the last leave()
//   open ----------------> closing ----------------------> closed
//
//   open     any thread may enter, and then take the GIL;
//   closing  those inside stay as long as they need, nobody enters; close() waits;
//   closed   the interpreter may be finalised; its objects are never touched again.
//
// A thread enters first and takes the GIL afterwards; close() is called without the GIL, or those inside could not
// leave. It is not called by a thread that is inside: that one would wait for itself.
//
// In a child that is forked it is closed: those inside are threads of the parent, but for the one that forked, which
// may leave.
class gate {
 public:
  gate() = default;
  gate(const gate&) = delete;
  gate& operator=(const gate&) = delete;

  bool open() const noexcept { return !forked() && !(state_.load(std::memory_order_acquire) & closing); }
  bool forked() const noexcept { return mark_.forked(); }

  [[nodiscard]] bool enter() noexcept {
    if (forked()) return false;
    auto state = state_.load(std::memory_order_relaxed);
    do {
      if (state & closing) return false;
    } while (
        !state_.compare_exchange_weak(state, state + visitor, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
  }

  void leave() noexcept {
    if (state_.fetch_sub(visitor, std::memory_order_release) == (visitor | closing)) state_.notify_all();
  }

  // Nobody enters any more.
  void shut() noexcept { state_.fetch_or(closing, std::memory_order_relaxed); }

  void close() noexcept {
    if (forked()) return;
    auto state = state_.fetch_or(closing, std::memory_order_acquire) | closing;
    while (state != closing) {
      state_.wait(state, std::memory_order_relaxed);
      state = state_.load(std::memory_order_acquire);
    }
  }

 private:
  static constexpr std::size_t closing = 1;
  static constexpr std::size_t visitor = 2;

  const fork_mark mark_;
  std::atomic<std::size_t> state_ = 0;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_GATE_HPP
