// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_BLOCKED_CALL_HPP
#define ASYNC_RESOURCE_DETAIL_BLOCKED_CALL_HPP

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/wait_graph.hpp>
#include <async_resource/detail/waking_executor.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A thread that waits for an operation, and the memory that the operation takes: both on that thread's stack.
//
//   holders_ > 0   somebody else needs it: the handler, or what lies in the memory
//   holders_ == 0  the last of them has woken the thread...
//   left_          ...and touches nothing any more
//
// Ordering: each holder releases what it did when it goes, and the thread acquires that.
class blocked_thread {
 public:
  blocked_thread() = default;
  blocked_thread(const blocked_thread&) = delete;
  blocked_thread& operator=(const blocked_thread&) = delete;

  void* allocate(std::size_t size, std::size_t alignment) {
    void* const pointer = take(size, alignment);
    holders_.fetch_add(1, std::memory_order_relaxed);
    return pointer;
  }
  void deallocate(void* pointer, std::size_t size, std::size_t alignment) noexcept {
    if (is_ours(pointer))
      give_back(pointer, size);
    else
      ::operator delete(pointer, std::align_val_t(alignment));
    leave();
  }

  // By the handler, when it has been called, or destroyed.
  void end() noexcept {
    wait_graph::stop_waiting(homes_);
    leave();
  }

  void wait() const noexcept {
    for (int holders; (holders = holders_.load(std::memory_order_acquire)) > 0;)
      holders_.wait(holders, std::memory_order_relaxed);
    while (!left_.load(std::memory_order_acquire)) std::this_thread::yield();
  }

 private:
  static constexpr std::size_t room = 1024;

  void leave() noexcept {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    holders_.notify_one();
    left_.store(true, std::memory_order_release);
  }

  // A piece that is taken again acquires what was done to it before it was given back.
  void* take(std::size_t size, std::size_t alignment) {
    const std::size_t rounded = rounded_up(size);
    std::size_t used = used_.load(std::memory_order_relaxed);
    do
      if (alignment > alignof(std::max_align_t) || rounded > room - used)
        return ::operator new(size, std::align_val_t(alignment));
    while (!used_.compare_exchange_weak(used, used + rounded, std::memory_order_acquire, std::memory_order_relaxed));
    return memory_ + used;
  }
  void give_back(void* pointer, std::size_t size) noexcept {
    const std::size_t begin = std::size_t(static_cast<std::byte*>(pointer) - memory_);
    std::size_t end = begin + rounded_up(size);
    // Unless something lies above it.
    used_.compare_exchange_strong(end, begin, std::memory_order_release, std::memory_order_relaxed);
  }

  bool is_ours(const void* pointer) const noexcept {
    const std::less<const void*> before;
    return !before(pointer, memory_) && before(pointer, memory_ + room);
  }
  static std::size_t rounded_up(std::size_t size) noexcept {
    constexpr std::size_t unit = alignof(std::max_align_t);
    return (size + unit - 1) / unit * unit;
  }

  wait_graph::visit* const homes_ = wait_graph::here();
  std::atomic<int> holders_{1};
  std::atomic<bool> left_{false};
  std::atomic<std::size_t> used_{0};
  alignas(std::max_align_t) std::byte memory_[room];
};

template <class T>
class blocked_allocator {
 public:
  using value_type = T;

  explicit blocked_allocator(blocked_thread& thread) noexcept : thread_(&thread) {}
  template <class U>
  blocked_allocator(const blocked_allocator<U>& other) noexcept : thread_(&other.thread()) {}

  T* allocate(std::size_t n) { return static_cast<T*>(thread_->allocate(n * sizeof(T), alignof(T))); }
  void deallocate(T* pointer, std::size_t n) noexcept { thread_->deallocate(pointer, n * sizeof(T), alignof(T)); }

  blocked_thread& thread() const noexcept { return *thread_; }

  template <class U>
  friend bool operator==(const blocked_allocator& a, const blocked_allocator<U>& b) noexcept {
    return &a.thread() == &b.thread();
  }

 private:
  blocked_thread* thread_;
};

// The same with room for what the operation completes with.
template <class... Args>
struct blocked_call : blocked_thread {
  ~blocked_call() { wait(); }

  std::optional<std::tuple<Args...>> completion;
  std::exception_ptr move_failure;
};

// The handler of such an operation.
template <class... Args>
class waker {
 public:
  using executor_type = waking_executor;
  using allocator_type = blocked_allocator<void>;

  explicit waker(blocked_call<Args...>& call) noexcept : call_(&call) {}
  waker(waker&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  waker& operator=(waker&&) = delete;
  ~waker() {
    if (call_) call_->end();
  }

  template <class... Values>
  void operator()(Values&&... values) noexcept {
    try {
      call_->completion.emplace(std::forward<Values>(values)...);
    } catch (...) {
      call_->move_failure = std::current_exception();
    }
    std::exchange(call_, nullptr)->end();
  }

  executor_type get_executor() const noexcept { return {}; }
  allocator_type get_allocator() const noexcept { return allocator_type(*call_); }

 private:
  blocked_call<Args...>* call_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_BLOCKED_CALL_HPP
