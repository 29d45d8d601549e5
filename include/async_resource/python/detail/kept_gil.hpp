// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_KEPT_GIL_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_KEPT_GIL_HPP

#include <async_resource/python/detail/python.hpp>

#include <functional>
#include <memory>

#include <async_resource/detail/access.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>
#include <async_resource/python/detail/thread_states.hpp>
#include <async_resource/python/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// A function that has the thread which keeps the GIL let go of it, on the executor that this is one of the threads of.
template <class Executor>
std::function<void()> let_go_on(const Executor& executor, const std::weak_ptr<shared_interpreter>& which) {
  return [executor, which] {
    asio::post(executor, [executor, which] {
      const auto python = which.lock();
      // On another thread of the executor: once more, until it is the right one's turn.
      if (python && !thread_states::here().let_go(*python) && !python->keeper().nobody()) let_go_on(executor, which)();
    });
  };
}

// With gil_policy::held: what a home does to keep the GIL from its first call on, and to give it away at its end. Moved
// only before.
class kept_gil {
 public:
  kept_gil() = default;
  kept_gil(kept_gil&&) noexcept {}
  kept_gil& operator=(kept_gil&&) = delete;

  // A thread that lives on gives it away here; one that has ended has done so.
  ~kept_gil() {
    if (let_go_ && !thread_states::here().let_go(*python_)) python_->keeper().forget_ask();
  }

  // At home: who can be asked to let go.
  template <class Handle>
  void know(const Handle& handle, const interpreter_pointer& python) {
    if (let_go_) return;
    const auto home = asyncres::detail::access::home_here(handle);
    if (!home) return;
    python_ = python;
    let_go_ = let_go_on(home->inner_executor(), python);
  }

  // Before the GIL is taken: from here on it is kept, if home is known. Another thread that keeps it never gives it
  // away.
  void keep(const interpreter_pointer& python) const {
    auto& keeper = python->keeper();
    if (keeper.mine()) return;
    if (let_go_ ? !thread_states::here().keep(python, let_go_) : !keeper.nobody())
      throw error("RuntimeError", "gil_policy::held: another thread keeps the GIL; home needs a thread of its own");
  }

 private:
  interpreter_pointer python_;
  std::function<void()> let_go_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_KEPT_GIL_HPP
