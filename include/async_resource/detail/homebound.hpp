// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP
#define ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/cache.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What a function threw that an executor of Asio's ran inside `execute`, such as the end of a coroutine: Asio keeps it until
// the function that runs now, here a delivery, has returned, and would make one exception of all that a delivery leaves.
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
// At most one delivery is posted and has not started. It is posted by the push that finds a lane empty, and by a delivery
// that leaves something to others, before it calls a handler: another thread of the context can share the work. A
// delivery takes a few operations at a time, one if there are few, so that a handler which waits holds up nobody while
// there are threads to spare.
//
// An operation goes into the lane of the thread that started it, and a delivery looks first into that of its own thread:
// a coroutine stays with the thread, and in the cache, where it was last, as long as each thread has work. Every so often
// a delivery begins with another lane, so that none has to wait for ever.
//
//   lane_type::head   pushed, newest first; lock-free
//   lane_type::ready  taken from there, in order; guarded by its mutex
//   posted_           a delivery is on its way, and will look at all of it
//
// Ordering: a push releases the operation, and the delivery that takes it acquires. `posted_` is exchanged on both
// sides, after a lane was filled and before the lanes are looked at: whichever comes second sees what the other did. What
// is looked at in between needs no order of its own.
class homebound {
 public:
  homebound(const homebound&) = delete;
  homebound& operator=(const homebound&) = delete;

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
  homebound() = default;
  ~homebound() = default;

  // Calls deliver() on the context, in memory set aside.
  virtual void post_delivery() noexcept = 0;

  // Throws what a handler throws.
  void deliver() {
    posted_.exchange(false, std::memory_order_acq_rel);
    const unsigned turn = turns_.load(std::memory_order_relaxed);
    turns_.store(turn + 1, std::memory_order_relaxed);  // Deliveries that count at the same time may count as one.
    const std::size_t first = turn % fair == 0 ? turn / fair : lane_of_this_thread();
    for (std::size_t left = visit; left > 0;) {
      batch taken(*this, first, left);
      if (taken.empty()) return;
      left -= taken.size();
      while (!taken.empty()) {
        taken.pop().arrive();
        rethrow_pending_exception();
      }
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
  // As long as no more wait in a lane, a delivery takes one operation at a time; else a quarter of them.
  static constexpr std::size_t few = 32;
  static constexpr std::size_t lane_count = 4;
  // One delivery in so many begins with the lane whose turn it is.
  static constexpr unsigned fair = 8;

  struct lane_type {
    // For the homes.
    alignas(cache_line) std::atomic<task_link*> head{nullptr};
    // For the deliveries.
    alignas(cache_line) std::mutex mutex;
    task_list ready;
    std::atomic<bool> waiting{false};  // Whether there is something ready, for those who have not locked the mutex.

    bool empty() const noexcept {
      return !waiting.load(std::memory_order_relaxed) && !head.load(std::memory_order_relaxed);
    }
  };
  using lanes = std::array<lane_type, lane_count>;

  // What one thread has taken. If a handler throws, the rest goes back to where it was.
  class batch {
   public:
    batch(homebound& from, std::size_t first_lane, std::size_t limit) noexcept
        : from_(from), lane_(from.lane_from(first_lane)) {
      {
        std::lock_guard lock(lane_.mutex);
        task_list& ready = lane_.ready;
        if (ready.empty()) ready = task_list(lane_.head.exchange(nullptr, std::memory_order_acquire));
        const std::size_t some = std::min(limit, ready.size() > few ? ready.size() / 4 : 1);
        while (!ready.empty() && tasks_.size() < some) tasks_.push_back(ready.pop());
        lane_.waiting.store(!ready.empty(), std::memory_order_relaxed);
      }
      if (!from.empty()) from.post_once();
    }
    batch(const batch&) = delete;
    batch& operator=(const batch&) = delete;
    ~batch() {
      if (tasks_.empty()) return;
      {
        std::lock_guard lock(lane_.mutex);
        tasks_.append(std::move(lane_.ready));
        lane_.ready = std::move(tasks_);
        lane_.waiting.store(true, std::memory_order_relaxed);
      }
      from_.post_once();
    }

    bool empty() const noexcept { return tasks_.empty(); }
    std::size_t size() const noexcept { return tasks_.size(); }
    operation_task& pop() noexcept { return static_cast<operation_task&>(tasks_.pop()); }

   private:
    homebound& from_;
    lane_type& lane_;
    task_list tasks_;
  };

  // From this one on, the first with something in it.
  lane_type& lane_from(std::size_t first) noexcept {
    for (std::size_t i = first; i < first + lane_count; ++i)
      if (!empty(i % lane_count)) return lanes_[i % lane_count];
    return lanes_[first % lane_count];
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

  std::atomic<bool> closed_{false};
  std::atomic<unsigned> used_{0};  // A bit for each lane that ever was.
  alignas(cache_line) std::atomic<bool> posted_{false};
  std::atomic<unsigned> turns_{0};
  lanes lanes_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOMEBOUND_HPP
