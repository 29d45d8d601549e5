// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_FORK_MARK_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_FORK_MARK_HPP

#include <pthread.h>

#include <atomic>
#include <system_error>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// Knows the process that it was made in from one that was forked since, by os.fork() or in C++. To ask takes one load.
class fork_mark {
 public:
  fork_mark() { watch(); }

  // Whether this is a child of the process that it was made in.
  bool forked() const noexcept { return forks_ != forks().load(std::memory_order_relaxed); }

 private:
  static void watch() {
    static const int error = pthread_atfork(nullptr, nullptr, [] { forks().fetch_add(1, std::memory_order_relaxed); });
    if (error != 0) throw std::system_error(error, std::generic_category(), "pthread_atfork");
  }

  // Those that lead from the first process to this one.
  static std::atomic<unsigned>& forks() noexcept {
    static constinit std::atomic<unsigned> count = 0;
    return count;
  }

  const unsigned forks_ = forks().load(std::memory_order_relaxed);
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_FORK_MARK_HPP
