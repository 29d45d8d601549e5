// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_ONE_SHOT_HPP
#define ASYNC_RESOURCE_DETAIL_ONE_SHOT_HPP

#include <utility>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A function object to hand to an executor: calls `Run` on its target, or `Dropped` if it is destroyed without having
// been called, which is how an executor says that it never will be.
template <class Target, void (Target::*Run)(), void (Target::*Dropped)() noexcept>
class one_shot {
 public:
  explicit one_shot(Target& target) noexcept : target_(&target) {}
  one_shot(one_shot&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
  one_shot& operator=(one_shot&&) = delete;
  ~one_shot() {
    if (target_) (target_->*Dropped)();
  }

  void operator()() { (std::exchange(target_, nullptr)->*Run)(); }

 private:
  Target* target_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_ONE_SHOT_HPP
