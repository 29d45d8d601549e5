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
#include <async_resource/detail/user_code.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A result that nobody will receive, since the handler went with its execution context: to be destroyed at home.
template <class Outcome>
class leftover final : public home_task {
 public:
  // Null if there is no memory for it, or moving throws.
  static leftover* make(Outcome& outcome) noexcept {
    try {
      return new leftover(outcome);
    } catch (...) {
      return nullptr;
    }
  }

  void run(home_base& home) noexcept override { abandon(&home); }
  void abandon(home_base* draining) noexcept override {
    const user_code now(draining);
    delete this;
  }
  void fail(std::error_code, home_base* draining) noexcept override { abandon(draining); }

 private:
  explicit leftover(Outcome& outcome) : outcome_(std::move(outcome)) {
    set_stamp({0, task_stamp::anytime, {}});  // It may be the lease that holds the others up.
  }

  Outcome outcome_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_LEFTOVER_HPP
