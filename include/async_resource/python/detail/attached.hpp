// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_ATTACHED_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_ATTACHED_HPP

#include <async_resource/python/detail/python.hpp>

// What CPython's API names differently from version to version: the thread state that this thread runs with, if it
// holds a GIL, and the interpreter of one.

namespace asyncres {
inline namespace v0 {
namespace python::detail {

inline PyInterpreterState* interpreter_of(PyThreadState* state) noexcept {
#if PY_VERSION_HEX >= 0x03090000
  return PyThreadState_GetInterpreter(state);
#else
  return state->interp;
#endif
}

// Null if this thread holds no GIL, or holds it with a thread state other than its first and `own`.
inline PyThreadState* attached([[maybe_unused]] PyThreadState* own = nullptr) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return PyThreadState_GetUnchecked();
#elif PY_VERSION_HEX >= 0x030C0000
  return _PyThreadState_UncheckedGet();
#else
  // Until 3.11 this is the state of whichever thread holds the one GIL: it is compared, and not looked into.
  PyThreadState* const running = _PyThreadState_UncheckedGet();
  return running && (running == own || running == PyGILState_GetThisThreadState()) ? running : nullptr;
#endif
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_ATTACHED_HPP
