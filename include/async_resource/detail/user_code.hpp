// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_USER_CODE_HPP
#define ASYNC_RESOURCE_DETAIL_USER_CODE_HPP

#include <async_resource/detail/home_base.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// While it lives, a thread that drains the home, if there is one, runs the user's code, which may destroy execution
// contexts, or wait for somebody who does.
class [[nodiscard]] user_code {
 public:
  explicit user_code(home_base* draining) noexcept : home_(draining) {
    if (home_) home_->stage().enter();
  }
  user_code(const user_code&) = delete;
  user_code& operator=(const user_code&) = delete;
  ~user_code() {
    if (home_) home_->stage().leave();
  }

 private:
  home_base* home_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_USER_CODE_HPP
