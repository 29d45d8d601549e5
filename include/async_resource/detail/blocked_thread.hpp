// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_BLOCKED_THREAD_HPP
#define ASYNC_RESOURCE_DETAIL_BLOCKED_THREAD_HPP

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <thread>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/wait_graph.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

class blocked_executor;

// A thread that waits for an operation: the memory that the operation takes, and an executor for the handlers of those
// that are composed around it. All of it is on that thread's stack.
//
//   holders_ > 0   somebody else needs it: the handler, what lies in the memory, whoever has just queued a function
//   holders_ == 0  the last of them has woken the thread...
//   left_          ...and touches nothing any more
//
// Ordering: each holder releases what it did when it goes, and the thread acquires that; a function that is queued
// likewise.
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

  template <class Function>
  void post(Function&& function);

  // By the handler, when it has been called, or destroyed.
  void end() noexcept {
    wait_graph::stop_waiting(homes_);
    leave();
  }

  // Runs what is posted. Throws what that throws, when all is over.
  void wait() {
    std::exception_ptr thrown;
    for (;;) {
      const unsigned seen = events_.load(std::memory_order_acquire);
      if (run_posted(thrown)) continue;
      if (holders_.load(std::memory_order_acquire) == 0) break;
      events_.wait(seen, std::memory_order_relaxed);
    }
    while (!left_.load(std::memory_order_acquire)) std::this_thread::yield();
    if (thrown) std::rethrow_exception(thrown);
  }

  bool is_this_thread() const noexcept { return thread_ == std::this_thread::get_id(); }

 private:
  static constexpr std::size_t room = 1024;

  struct posted {
    posted* next = nullptr;
    virtual void run(blocked_thread& thread) = 0;

   protected:
    ~posted() = default;
  };
  template <class Function>
  struct posted_function;

  void push(posted& function) noexcept {
    holders_.fetch_add(1, std::memory_order_relaxed);  // Until the thread has been woken.
    function.next = posted_.load(std::memory_order_relaxed);
    while (!posted_.compare_exchange_weak(function.next, &function, std::memory_order_release,
                                          std::memory_order_relaxed)) {
    }
    wake();
    leave();
  }

  // False: nothing was.
  bool run_posted(std::exception_ptr& thrown) noexcept {
    posted* newest = posted_.exchange(nullptr, std::memory_order_acquire);
    posted* oldest = nullptr;
    while (newest) {
      posted* const older = std::exchange(newest->next, oldest);
      oldest = std::exchange(newest, older);
    }
    if (!oldest) return false;
    while (oldest) try {
        std::exchange(oldest, oldest->next)->run(*this);
      } catch (...) {
        thrown = std::current_exception();
      }
    return true;
  }

  void wake() noexcept {
    events_.fetch_add(1, std::memory_order_release);
    events_.notify_one();
  }

  void leave() noexcept {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    wake();
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

  const std::thread::id thread_ = std::this_thread::get_id();
  wait_graph::visit* const homes_ = wait_graph::here();
  std::atomic<int> holders_{1};
  std::atomic<unsigned> events_{0};
  std::atomic<bool> left_{false};
  std::atomic<posted*> posted_{nullptr};
  std::atomic<std::size_t> used_{0};
  alignas(std::max_align_t) std::byte memory_[room];
};

template <class Function>
struct blocked_thread::posted_function final : posted {
  explicit posted_function(Function&& f) : function(std::move(f)) {}

  void run(blocked_thread& thread) override {
    Function last = std::move(function);
    std::destroy_at(this);
    thread.deallocate(this, sizeof(posted_function), alignof(posted_function));
    std::move(last)();
  }

  Function function;
};

template <class Function>
void blocked_thread::post(Function&& function) {
  using node = posted_function<std::decay_t<Function>>;
  std::decay_t<Function> copy(std::forward<Function>(function));
  void* const place = allocate(sizeof(node), alignof(node));
  wait_graph::stop_waiting(homes_);  // Until it waits for something else.
  push(*::new (place) node(std::move(copy)));
}

// Runs functions on the thread that waits, one after another.
class blocked_executor {
 public:
  explicit blocked_executor(blocked_thread& thread) noexcept : thread_(&thread) {}

  template <class Function>
  void execute(Function&& function) const {
    thread_->post(std::forward<Function>(function));
  }

  blocked_thread& thread() const noexcept { return *thread_; }

  asio::system_context& query(asio::execution::context_t) const noexcept {
    return asio::query(asio::system_executor(), asio::execution::context);
  }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  blocked_executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

  bool operator==(const blocked_executor&) const noexcept = default;

 private:
  blocked_thread* thread_;
};

// The thread's memory as that of the operation.
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

template <class... Args>
class waker;

// A handler that does nothing but wake its thread: it may be called wherever the operation ends, and need not be
// carried anywhere. What is composed around one runs on the thread itself.
template <class Handler>
inline constexpr bool is_waker = false;
template <class... Args>
inline constexpr bool is_waker<waker<Args...>> = true;

// Whether this thread will wait for the handler. Not known where the handler was given another executor.
template <class Handler>
bool is_waited_for_here(const Handler& handler) noexcept {
  if constexpr (std::is_same_v<asio::associated_executor_t<Handler>, blocked_executor>)
    return asio::get_associated_executor(handler).thread().is_this_thread();
  else
    return false;
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_BLOCKED_THREAD_HPP
