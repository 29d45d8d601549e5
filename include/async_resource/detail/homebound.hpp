// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP
#define ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/cache.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What a function threw that an executor of Asio's ran inside `execute`, such as the end of a coroutine: Asio keeps it
// until the function that runs now, here a delivery, has returned, and would make one exception of all there are by
// then.
inline void rethrow_pending_exception() {
  if (auto* const thread = asio::detail::thread_context::top_of_thread_call_stack())
    thread->rethrow_pending_exception();
}

// A small number for each thread, to keep apart what different threads do.
inline unsigned thread_number() noexcept {
  static constinit std::atomic<unsigned> threads{0};
  static thread_local const unsigned number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

// The operations on their way back to one execution context. Homes push them, one by one; deliveries, posted to the
// context, call their handlers.
//
// At most one delivery is posted and has not started. It is posted by the push that finds a lane empty, and by a
// delivery that leaves something to others, before it calls a handler: whatever that handler does or waits for, another
// thread of the context, or a run() inside it, gets at the rest.
//
// An operation goes into the lane of the thread that started it, and a delivery looks first into that of its own
// thread: a coroutine stays with the thread, and in the cache, where it was last, as long as each thread has work.
// Every so often a delivery begins with another lane, so that none has to wait for ever.
//
//   lane_type::head   pushed, newest first; lock-free
//   lane_type::ready  taken from there, in order; guarded by the lane's mutex
//   posted_           a delivery is on its way, and will look at all of it
//
// Ordering: a push releases the operation, and the delivery that takes it acquires. `posted_` is exchanged on both
// sides, after a lane was filled or what was in it moved, and before the lanes are looked at: whichever comes second
// sees what the other did. What is looked at in between needs no order of its own.
class homebound {
 public:
  homebound(const homebound&) = delete;
  homebound& operator=(const homebound&) = delete;

  // The members of the context.
  const std::shared_ptr<context_registry>& registry() const noexcept { return registry_; }

  // The context is being shut down: nothing can be delivered any more.
  bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }

  static unsigned char lane_of_this_thread() noexcept {
    return static_cast<unsigned char>(thread_number() % lane_count);
  }

  // By a thread that keeps the context from being shut down: one that drains a home which has been given the operation
  // (see home_base::evict), or one that initiates an operation.
  void push(operation_task& task) noexcept {
    const unsigned lane = task.lane();  // Once pushed, the task may be gone.
    std::atomic<task_link*>& to = lanes_[lane].head;
    task_link* head = to.load(std::memory_order_relaxed);
    do task.next = head;
    while (!to.compare_exchange_weak(head, &task, std::memory_order_release, std::memory_order_relaxed));
    if (head) return;
    if (const unsigned bit = 1u << lane; !(used_.load(std::memory_order_relaxed) & bit))
      used_.fetch_or(bit, std::memory_order_relaxed);
    post_once();
  }

 protected:
  explicit homebound(std::shared_ptr<context_registry> registry) noexcept : registry_(std::move(registry)) {}
  ~homebound() = default;

  // Calls deliver() on the context, in memory set aside.
  virtual void post_delivery() noexcept = 0;

  // Throws what a handler throws.
  void deliver() {
    posted_.exchange(false, std::memory_order_acq_rel);
    const std::size_t first = first_lane();
    for (std::size_t left = visit; left > 0; --left) {
      bool moved = false;
      operation_task* const next = take(lane_from(first), moved);
      if ((moved || !posted_.load(std::memory_order_relaxed)) && !empty()) post_once();
      if (!next) return;
      next->arrive();
      rethrow_pending_exception();
    }
  }

  // Relaxed: an operation that is initiated on a context while that goes is initiated by what its shutdown destroys.
  void close() noexcept { closed_.store(true, std::memory_order_relaxed); }

  // The context is shut down, and no home has anything for it any more.
  task_list take_all() noexcept {
    task_list all;
    for (lane_type& each : lanes_) {
      all.append(std::move(each.ready));
      all.append(task_list(each.head.exchange(nullptr, std::memory_order_acquire)));
    }
    return all;
  }

 private:
  // Handlers a delivery, so that other work on the context gets its turn.
  static constexpr std::size_t visit = 64;
  static constexpr std::size_t lane_count = 4;
  // One delivery in so many begins with the lane whose turn it is.
  static constexpr unsigned fair = 8;

  struct lane_type {
    // For the homes.
    alignas(cache_line) std::atomic<task_link*> head{nullptr};
    // For the deliveries.
    alignas(cache_line) std::mutex mutex;
    task_list ready;
    std::atomic<bool> waiting{false};  // Whether something is ready, for those who have not locked the mutex.

    bool empty() const noexcept {
      return !waiting.load(std::memory_order_relaxed) && !head.load(std::memory_order_relaxed);
    }
  };

  // Null: another delivery was quicker. `moved`: what was pushed has become ready.
  operation_task* take(lane_type& from, bool& moved) noexcept {
    std::lock_guard lock(from.mutex);
    if (from.ready.empty()) {
      from.ready = task_list(from.head.exchange(nullptr, std::memory_order_acquire));
      if (from.ready.empty()) return nullptr;
      moved = true;
    }
    auto& task = static_cast<operation_task&>(from.ready.pop());
    from.waiting.store(!from.ready.empty(), std::memory_order_relaxed);
    return &task;
  }

  std::size_t first_lane() noexcept {
    const unsigned turn = turns_.load(std::memory_order_relaxed);
    turns_.store(turn + 1, std::memory_order_relaxed);  // Deliveries that count at the same time may count as one.
    return turn % fair == 0 ? turn / fair % lane_count : lane_of_this_thread();
  }

  // From this one on, the first with something in it.
  lane_type& lane_from(std::size_t first) noexcept {
    for (std::size_t i = first; i < first + lane_count; ++i)
      if (!empty(i % lane_count)) return lanes_[i % lane_count];
    return lanes_[first];
  }

  bool empty() const noexcept {
    for (std::size_t i = 0; i < lane_count; ++i)
      if (!empty(i)) return false;
    return true;
  }

  bool empty(std::size_t i) const noexcept {
    return !(used_.load(std::memory_order_relaxed) >> i & 1) || lanes_[i].empty();
  }

  void post_once() noexcept {
    if (!posted_.exchange(true, std::memory_order_acq_rel)) post_delivery();
  }

  const std::shared_ptr<context_registry> registry_;
  std::atomic<bool> closed_{false};
  std::atomic<unsigned> used_{0};  // A bit for each lane that ever was.
  alignas(cache_line) std::atomic<bool> posted_{false};
  std::atomic<unsigned> turns_{0};
  std::array<lane_type, lane_count> lanes_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP
