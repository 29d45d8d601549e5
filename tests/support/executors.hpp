// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_EXECUTORS_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_EXECUTORS_HPP

#include <asio/execution.hpp>
#include <asio/execution_context.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <new>
#include <utility>

namespace testing {

// An executor of a user's own: runs every function at once, where it stands, and cannot be told not to.
class eager_executor {
 public:
  explicit eager_executor(asio::execution_context& context) noexcept : context_(&context) {}

  template <class Function>
  void execute(Function&& function) const {
    std::forward<Function>(function)();
  }

  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t::always_t query(asio::execution::blocking_t) noexcept { return {}; }

  friend bool operator==(const eager_executor&, const eager_executor&) noexcept = default;

 private:
  asio::execution_context* context_;
};

// An execution context under the test's control: functions run when the test says so, one at a time. Its executor is
// one that Asio does not know.
class manual_context : public asio::execution_context {
 public:
  class executor_type;

  manual_context() = default;
  ~manual_context() {
    shutdown();
    drop_all();
    destroy();
  }

  executor_type get_executor() noexcept;

  // How many functions wait.
  std::size_t waiting() const noexcept { return functions_.size(); }

  // Runs the oldest waiting function; false if none waits.
  bool run_one() {
    if (functions_.empty()) return false;
    auto function = std::move(functions_.front());
    functions_.pop_front();
    function->run();
    return true;
  }
  std::size_t run() {
    std::size_t n = 0;
    while (run_one()) ++n;
    return n;
  }

  void drop_all() noexcept {
    while (!functions_.empty()) {
      const auto dropped = std::move(functions_.front());
      functions_.pop_front();
    }
  }

  // The next calls of execute throw std::bad_alloc.
  void fail_next(int n) noexcept { failures_ = n; }

 private:
  struct erased {
    virtual ~erased() = default;
    virtual void run() = 0;
  };
  template <class Function>
  struct held final : erased {
    explicit held(Function&& f) : function(std::move(f)) {}
    void run() override { std::move(function)(); }
    Function function;
  };

  std::deque<std::unique_ptr<erased>> functions_;
  int failures_ = 0;
};

class manual_context::executor_type {
 public:
  explicit executor_type(manual_context& context) noexcept : context_(&context) {}

  template <class Function>
  void execute(Function function) const {
    if (context_->failures_ > 0) {
      --context_->failures_;
      throw std::bad_alloc();
    }
    context_->functions_.push_back(std::make_unique<held<Function>>(std::move(function)));
  }

  manual_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  executor_type require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

  friend bool operator==(const executor_type&, const executor_type&) noexcept = default;

 private:
  manual_context* context_;
};

inline manual_context::executor_type manual_context::get_executor() noexcept {
  return executor_type(*this);
}

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_EXECUTORS_HPP
