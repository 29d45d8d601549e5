// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_GIL_KEEPER_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_GIL_KEEPER_HPP

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// Which thread keeps an interpreter's GIL also while it has nothing to do, if one does, and how to reach it.
class gil_keeper {
 public:
  // This thread wants to. Before it takes the GIL: where another one keeps it, it would wait for ever.
  [[nodiscard]] bool claim(std::function<void()> ask) {
    const std::lock_guard lock(mutex_);
    if (!nobody()) return false;
    ask_ = std::move(ask);
    thread_ = std::this_thread::get_id();
    return true;
  }

  void renounce() noexcept {
    std::function<void()> old;
    const std::lock_guard lock(mutex_);
    thread_ = std::thread::id();
    old.swap(ask_);
  }

  // The keeper cannot be asked any more.
  void forget_ask() noexcept {
    std::function<void()> old;
    const std::lock_guard lock(mutex_);
    old.swap(ask_);
  }

  bool mine() const noexcept { return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  bool nobody() const noexcept { return thread_.load(std::memory_order_relaxed) == std::thread::id(); }

  // Before this thread takes the GIL, which a keeper that sleeps would not give.
  void ask_another_to_let_go() noexcept {
    if (!nobody() && !mine()) ask_to_let_go();
  }

  // Has the keeper's executor call thread_states::let_go(). What posting throws is lost.
  void ask_to_let_go() noexcept try {
    std::function<void()> ask;
    {
      const std::lock_guard lock(mutex_);
      ask = ask_;
    }
    if (ask) ask();
  } catch (...) {
  }

 private:
  std::mutex mutex_;
  std::atomic<std::thread::id> thread_{};  // changed with the lock held; what else it is compared with is one's own
  std::function<void()> ask_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_GIL_KEEPER_HPP
