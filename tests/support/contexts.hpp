// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_CONTEXTS_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_CONTEXTS_HPP

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace testing {

// An io_context with threads of its own, until join().
template <std::size_t Threads>
class io_threads {
 public:
  using context_type = asio::io_context;
  static constexpr std::size_t threads = Threads;

  io_threads() : guard_(context_->get_executor()) {
    for (std::size_t i = 0; i < Threads; ++i) threads_.emplace_back([this] { context_->run(); });
  }
  ~io_threads() { join(); }

  asio::io_context& context() { return *context_; }
  auto get_executor() { return context_->get_executor(); }

  // Returns when the context has run out of work.
  void join() {
    guard_.reset();
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }

  // As join(), but leaves behind what has not run yet, and destroys the context with it.
  void shut_down() {
    context_->stop();
    join();
    context_.reset();
  }

 private:
  std::optional<asio::io_context> context_{std::in_place};
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::vector<std::thread> threads_;
};

template <std::size_t Threads>
class pool_threads {
 public:
  using context_type = asio::thread_pool;
  static constexpr std::size_t threads = Threads;

  ~pool_threads() { join(); }

  asio::thread_pool& context() { return *context_; }
  auto get_executor() { return context_->get_executor(); }

  void join() {
    if (context_) context_->join();
  }

  void shut_down() {
    context_->stop();
    context_->join();
    context_.reset();
  }

 private:
  std::optional<asio::thread_pool> context_{std::in_place, Threads};
};

using io_1 = io_threads<1>;
using io_4 = io_threads<4>;
using pool_1 = pool_threads<1>;
using pool_4 = pool_threads<4>;

// An event that a test waits for, which may destroy it as soon as wait() has returned true: set() is then done with it.
// The deadline is a watchdog, for a test that would hang otherwise.
class event {
 public:
  void set() {
    std::lock_guard lock(mutex_);
    is_set_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool wait() const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [this] { return is_set_; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool is_set_ = false;
};

// Values gathered by many threads, to be looked at by the test's own.
template <class T>
class log {
 public:
  void add(T value) {
    std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
  }
  std::vector<T> values() const {
    std::lock_guard lock(mutex_);
    return values_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<T> values_;
};

}  // namespace testing

#define ASYNC_RESOURCE_TEST_CONTEXTS testing::io_1, testing::io_4, testing::pool_1, testing::pool_4

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_CONTEXTS_HPP
