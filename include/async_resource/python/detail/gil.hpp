// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_GIL_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_GIL_HPP

#include <async_resource/python/detail/python.hpp>

#include <memory>
#include <utility>

#include <async_resource/python/detail/gate.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// Keeps the thread state that CPython makes for a foreign thread until that thread ends. Otherwise it would be made and
// destroyed at each call, and with it what the thread has in `threading.local`.
class kept_thread_state {
 public:
  static kept_thread_state& of_this_thread() noexcept {
    static thread_local kept_thread_state instance;
    return instance;
  }

  // The GIL is held, by the first PyGILState_Ensure of this thread.
  void keep(std::shared_ptr<gate> gate) noexcept {
    PyGILState_Ensure();
    gate_ = std::move(gate);
  }

  ~kept_thread_state() {
    if (!gate_ || !gate_->enter()) return;
    const auto state = PyGILState_Ensure();
    PyGILState_Release(PyGILState_LOCKED);  // the one of keep()
    PyGILState_Release(state);
    gate_->leave();
  }

 private:
  kept_thread_state() = default;

  std::shared_ptr<gate> gate_;
};

// In the interpreter and holding its GIL, unless the gate is closed: then it is false. May be nested, and used by a
// thread that already holds the GIL in another way.
class gil {
 public:
  explicit gil(const std::shared_ptr<gate>& gate) noexcept : gate_(gate && gate->enter() ? gate.get() : nullptr) {
    if (!gate_) return;
    const bool foreign = PyGILState_GetThisThreadState() == nullptr;
    state_ = PyGILState_Ensure();
    if (foreign) kept_thread_state::of_this_thread().keep(gate);
  }

  gil(const gil&) = delete;
  gil& operator=(const gil&) = delete;

  ~gil() {
    if (!gate_) return;
    PyGILState_Release(state_);
    gate_->leave();
  }

  explicit operator bool() const noexcept { return gate_ != nullptr; }

 private:
  gate* gate_;
  PyGILState_STATE state_ = PyGILState_UNLOCKED;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_GIL_HPP
