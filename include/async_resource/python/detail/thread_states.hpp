// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_THREAD_STATES_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_THREAD_STATES_HPP

#include <async_resource/python/detail/python.hpp>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include <async_resource/python/detail/shared_interpreter.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// The thread states of this thread, one for each interpreter that it has entered, kept until it ends: with them it
// keeps what it has in `threading.local`. Made for the interpreter that is meant, where PyGILState_Ensure() takes the
// main one.
class thread_states {
 public:
  static thread_states& here() noexcept {
    static thread_local thread_states instance;
    return instance;
  }

  thread_states(const thread_states&) = delete;
  thread_states& operator=(const thread_states&) = delete;

  ~thread_states() {
    for (auto& [python, state] : states_) {
      let_go(*python);
      if (!python->enter()) continue;
      PyEval_RestoreThread(state);
      python->delete_state(state);
      python->leave();
    }
  }

  // Null if there is none yet.
  PyThreadState* find(const shared_interpreter& python) const noexcept {
    for (const auto& [each, state] : states_)
      if (each.get() == &python) return state;
    return nullptr;
  }

  // Made if need be, by a thread inside the gate. Null if there is no memory.
  PyThreadState* get(const interpreter_pointer& python) noexcept try {
    if (PyThreadState* const known = find(*python)) return known;
    std::erase_if(states_, [](const auto& each) { return !each.python->open(); });
    states_.reserve(states_.size() + 1);
    PyThreadState* const made = python->make_state();
    if (made) states_.push_back({python, made});
    return made;
  } catch (...) {
    return nullptr;
  }

  // Use this state, which another owns, for that interpreter; null: none yet. What was used before.
  PyThreadState* exchange(const interpreter_pointer& python, PyThreadState* state) {
    const auto known = std::find_if(states_.begin(), states_.end(), [&](const auto& e) { return e.python == python; });
    PyThreadState* const before = known == states_.end() ? nullptr : known->state;
    if (known != states_.end()) states_.erase(known);
    if (state) states_.push_back({python, state});
    return before;
  }

  // This thread, from this interpreter. Since 3.12 CPython, whenever a thread attaches a state, writes into the one it
  // attached before: into freed memory, if another thread has ended that sub-interpreter in between. So the last
  // one to be attached there is deleted at once. Since 3.15 that is so where the main one is started again, too.
  static void detach([[maybe_unused]] const shared_interpreter& python) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    const bool forgotten = PY_VERSION_HEX < 0x030F0000 && python.is_main();  // when it ends
    PyThreadState* const last = forgotten ? nullptr : PyThreadState_New(python.id());
    if (last) {
      PyThreadState_Swap(last);
      PyThreadState_Clear(last);
      return PyThreadState_DeleteCurrent();
    }
#endif
    PyEval_SaveThread();
  }

  // Keep the GIL from here on: inside the gate, and attached, unless that is so already. False: another thread does.
  [[nodiscard]] bool keep(const interpreter_pointer& python, const std::function<void()>& ask) {
    if (python->keeper().mine()) return true;
    if (!python->keeper().claim(ask)) return false;
    PyThreadState* state = nullptr;
    if (python->enter() && !(state = get(python))) python->leave();
    if (state)
      PyEval_RestoreThread(state);
    else
      python->keeper().renounce();
    return true;
  }

  // Unless this thread keeps it, false.
  bool let_go(shared_interpreter& python) noexcept {
    if (!python.keeper().mine()) return false;
    PyEval_SaveThread();
    python.keeper().renounce();
    python.leave();
    return true;
  }

 private:
  struct entry {
    interpreter_pointer python;
    PyThreadState* state;
  };

  thread_states() = default;

  std::vector<entry> states_;
};

// While it lives, this thread enters that interpreter with the state that it has there anyway, instead of one of its own.
// In the main thread CPython, from 3.13 on, looks for signals in that one alone. Made and destroyed without the GIL.
class lent_state {
 public:
  lent_state(interpreter_pointer python, PyThreadState* state)
      : python_(std::move(python)), before_(thread_states::here().exchange(python_, state)) {}
  lent_state(const lent_state&) = delete;
  lent_state& operator=(const lent_state&) = delete;
  ~lent_state() { thread_states::here().exchange(python_, before_); }

 private:
  const interpreter_pointer python_;
  PyThreadState* const before_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_THREAD_STATES_HPP
