// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_C_LIBRARY_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_C_LIBRARY_HPP

#include <atomic>
#include <thread>
#include <utility>

namespace testing {

// A C library under the test's control: keeps what one call gives it, and calls back when the test says so. At most one
// call at a time.
template <class... Args>
class c_library {
 public:
  using callback = void (*)(Args..., void*);

  void call(void* context, callback function) noexcept {
    context_ = context;
    callback_ = function;
  }

  // False if it has been called back, or never was called.
  bool call_back(Args... args) noexcept {
    const callback function = callback_.exchange(nullptr);
    if (function) function(std::move(args)..., context_);
    return function;
  }
  bool call_back_elsewhere(Args... args) {
    bool called = false;
    std::thread([&] { called = call_back(std::move(args)...); }).join();
    return called;
  }

  bool called() const noexcept { return callback_ != nullptr; }

  // What completion_token_transform is given.
  auto start() noexcept {
    return [this](void* context, callback function) noexcept { call(context, function); };
  }
  auto start_and_call_back(Args... args) {
    return [this, args...](void* context, callback function) {
      call(context, function);
      call_back(args...);
    };
  }

 private:
  void* context_ = nullptr;
  std::atomic<callback> callback_{nullptr};
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_C_LIBRARY_HPP
