// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_WAIT_GRAPH_HPP
#define ASYNC_RESOURCE_DETAIL_WAIT_GRAPH_HPP

#include <mutex>
#include <utility>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Which home waits for which: a function that runs at one may block its thread until an operation on another is
// through. A wait that would close a ring is refused.
//
// Ends of waits are told before the home that was waited for starts its next function, so that this one is not refused
// for a wait that is over.
class wait_graph {
 public:
  class visit;

  // A home, as far as waiting is concerned.
  class node {
   public:
    node() = default;
    node(const node&) = delete;
    node& operator=(const node&) = delete;

   protected:
    ~node() = default;

   private:
    friend class wait_graph;
    node* waits_for_ = nullptr;  // Guarded by mutex_.
  };

  // While it lives, this thread has the home: functions run here. They may, by way of an execution context that is run
  // inside one of them, have several.
  class [[nodiscard]] visit {
   public:
    explicit visit(node& home) noexcept : home_(home), outer_(std::exchange(innermost_, this)) {}
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
    ~visit() { innermost_ = outer_; }

    bool is_to(const node& home) const noexcept { return &home_ == &home; }
    const visit* outer() const noexcept { return outer_; }

   private:
    friend class wait_graph;
    node& home_;
    visit* outer_;
  };

  // The homes that this thread has; null: none.
  static visit* here() noexcept { return innermost_; }

  // This thread is about to wait for that home. False: it would wait for ever.
  static bool try_wait_for(node& target) noexcept {
    if (!innermost_) return true;
    const std::lock_guard lock(mutex_);
    for (node* next = &target; next; next = next->waits_for_)
      if (has(next)) return false;
    set_waiting(innermost_, &target);
    return true;
  }

  // By any thread: the one that has these homes need not wait any more.
  static void stop_waiting(visit* homes) noexcept {
    if (!homes) return;
    const std::lock_guard lock(mutex_);
    set_waiting(homes, nullptr);
  }

 private:
  static bool has(const node* home) noexcept {
    for (visit* each = innermost_; each; each = each->outer_)
      if (&each->home_ == home) return true;
    return false;
  }
  static void set_waiting(visit* homes, node* target) noexcept {
    for (; homes; homes = homes->outer_) homes->home_.waits_for_ = target;
  }

  inline static constinit std::mutex mutex_;
  inline static thread_local constinit visit* innermost_ = nullptr;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_WAIT_GRAPH_HPP
