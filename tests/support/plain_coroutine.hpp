// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_PLAIN_COROUTINE_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_PLAIN_COROUTINE_HPP

#include <coroutine>
#include <exception>

namespace testing {

// The least of coroutine types, and one that Asio does not know: runs at once.
struct plain_coroutine {
  struct promise_type {
    plain_coroutine get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_PLAIN_COROUTINE_HPP
