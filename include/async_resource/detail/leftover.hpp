// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_LEFTOVER_HPP
#define ASYNC_RESOURCE_DETAIL_LEFTOVER_HPP

#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include <async_resource/detail/home.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What is left of an operation whose handler went with its execution context, and has to end at home: a function, to be
// run and its result ignored, or a result, to be destroyed.
template <class Object>
class leftover final : public home_task {
 public:
  // Null if there is no memory for it, or moving throws.
  template <class Part>
  static leftover* make(Part& part) noexcept {
    try {
      return new leftover(part);
    } catch (...) {
      return nullptr;
    }
  }

  void run(home_base& home) noexcept override {
    const user_code now(&home);
    if constexpr (requires { object_.run_at(home); }) object_.run_at(home);
    delete this;
  }
  void abandon(home_base* draining) noexcept override {
    const user_code now(draining);
    delete this;
  }
  void fail(std::error_code, home_base* draining) noexcept override { abandon(draining); }

 private:
  template <class Part>
  explicit leftover(Part& part) : object_{std::move(part)} {}

  Object object_;
};

template <class Home, class Function, class Outcome>
struct leftover_function {
  Function function;

  void run_at(home_base& home) noexcept {
    Outcome ignored;
    ignored.capture(std::move(function), static_cast<Home&>(home).resource());
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_LEFTOVER_HPP
