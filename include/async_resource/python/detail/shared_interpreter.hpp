// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_SHARED_INTERPRETER_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_SHARED_INTERPRETER_HPP

#include <async_resource/python/detail/python.hpp>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <async_resource/python/detail/attached.hpp>
#include <async_resource/python/detail/gate.hpp>
#include <async_resource/python/detail/gil_keeper.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// What lives in an interpreter and has to end before it does.
class dependent {
 public:
  virtual ~dependent() = default;
  virtual void end() noexcept = 0;
};

// An interpreter, as everything that holds its objects shares it: the gate before it, the thread states that were made
// for threads which are not Python's own, and what depends on it. In a child that is forked it is closed, and nothing
// of it is touched: its threads are the parent's, and their states are gone or not.
class shared_interpreter {
 public:
  // Of the thread state that is attached.
  shared_interpreter() : interpreter_(interpreter_of(PyThreadState_Get())) {}

  shared_interpreter(const shared_interpreter&) = delete;
  shared_interpreter& operator=(const shared_interpreter&) = delete;

  PyInterpreterState* id() const noexcept { return interpreter_; }
  bool is_main() const noexcept { return interpreter_ == PyInterpreterState_Main(); }
  bool open() const noexcept { return gate_.open(); }
  bool forked() const noexcept { return gate_.forked(); }
  [[nodiscard]] bool enter() noexcept { return gate_.enter(); }
  void leave() noexcept { gate_.leave(); }
  gil_keeper& keeper() noexcept { return keeper_; }

  // For this thread, which is inside the gate, for good. Null if there is no memory.
  PyThreadState* make_state() noexcept try {
    const std::lock_guard lock(mutex_);
    states_.reserve(states_.size() + 1);
    PyThreadState* const state = PyThreadState_New(interpreter_);
    if (state) states_.push_back(state);
    return state;
  } catch (...) {
    return nullptr;
  }

  // Attached, by the thread that it was made for, which is inside the gate. Nothing is attached afterwards.
  void delete_state(PyThreadState* state) noexcept {
    {
      const std::lock_guard lock(mutex_);
      std::erase(states_, state);
    }
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
  }

  // Ended by close(), unless it has gone by then.
  void add(std::weak_ptr<dependent> one) {
    const std::lock_guard lock(mutex_);
    std::erase_if(dependents_, [](const auto& each) { return each.expired(); });
    dependents_.push_back(std::move(one));
  }

  // Waits for those inside, and lets nobody in any more. Without the GIL.
  void close() noexcept {
    if (forked()) return;
    gate_.shut();
    end_dependents();
    keeper_.ask_to_let_go();
    gate_.close();
    end_dependents();  // those of the last ones inside
  }

  // Closed, and a state that was not made here is attached. Since 3.12 CPython has a thread that deletes another's
  // state forget its own, so that PyGILState_Ensure() would fail from then on: those of the main one are left for its
  // end.
  void delete_states() noexcept {
    if (forked() || (PY_VERSION_HEX >= 0x030C0000 && is_main())) return;
    for (PyThreadState* const state : take(states_)) {
      PyThreadState_Clear(state);
      PyThreadState_Delete(state);
    }
  }

 private:
  template <class T>
  std::vector<T> take(std::vector<T>& which) noexcept {
    const std::lock_guard lock(mutex_);
    return std::exchange(which, {});
  }

  void end_dependents() noexcept {
    for (const auto& each : take(dependents_))
      if (const auto one = each.lock()) one->end();
  }

  gate gate_;
  gil_keeper keeper_;
  PyInterpreterState* const interpreter_;
  std::mutex mutex_;  // never held while waiting for a GIL
  std::vector<PyThreadState*> states_;
  std::vector<std::weak_ptr<dependent>> dependents_;
};

using interpreter_pointer = std::shared_ptr<shared_interpreter>;

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_SHARED_INTERPRETER_HPP
