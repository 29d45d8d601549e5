// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_RUN_COROUTINE_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_RUN_COROUTINE_HPP

#include <exception>
#include <utility>

#include <asio.hpp>

namespace testing {

// Runs a coroutine on a context of its own, to its end.
template <class Coroutine>
void run(Coroutine&& coroutine) {
  asio::io_context context;
  std::exception_ptr failure;
  asio::co_spawn(context, std::forward<Coroutine>(coroutine), [&](std::exception_ptr e) { failure = e; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_RUN_COROUTINE_HPP
