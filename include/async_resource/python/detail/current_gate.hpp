// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_CURRENT_GATE_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_CURRENT_GATE_HPP

#include <async_resource/python/detail/python.hpp>

#include <memory>
#include <mutex>

#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/gate.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

using gate_pointer = std::shared_ptr<gate>;

inline PyObject* close_at_exit(PyObject* capsule, PyObject*) noexcept {
  const auto* gate = static_cast<gate_pointer*>(PyCapsule_GetPointer(capsule, nullptr));
  PyThreadState* state = PyEval_SaveThread();
  (*gate)->close();
  PyEval_RestoreThread(state);
  return object::share(Py_None).release();
}

inline void destroy_capsule(PyObject* capsule) noexcept {
  delete static_cast<gate_pointer*>(PyCapsule_GetPointer(capsule, nullptr));
}

// Has Python close the gate at exit: that is before it finalises anything, where Py_AtExit would be after.
inline void close_at_exit(const gate_pointer& gate) {
  static PyMethodDef definition{"close", static_cast<PyCFunction>(close_at_exit), METH_NOARGS, nullptr};
  auto owner = std::make_unique<gate_pointer>(gate);
  const object capsule = checked(PyCapsule_New(owner.get(), nullptr, destroy_capsule));
  owner.release();
  const object close = checked(PyCFunction_New(&definition, capsule.get()));
  const object atexit = checked(PyImport_ImportModule("atexit"));
  checked(PyObject_CallMethod(atexit.get(), "register", "O", close.get()));
}

inline bool in_main_interpreter() noexcept {
#if PY_VERSION_HEX >= 0x03090000
  return PyInterpreterState_Get() == PyInterpreterState_Main();
#else
  return PyThreadState_Get()->interp == PyInterpreterState_Main();
#endif
}

// The gate of the interpreter that runs, made when it is first asked for. The GIL is held.
inline gate_pointer current_gate() {
  static std::mutex mutex;  // never held across a call of Python's API
  static std::weak_ptr<gate> current;

  if (!in_main_interpreter()) throw error("RuntimeError", "async_resource does not support sub-interpreters");
  {
    const std::lock_guard lock(mutex);
    if (auto gate = current.lock(); gate && gate->open()) return gate;
  }
  auto made = std::make_shared<gate>();
  close_at_exit(made);
  const std::lock_guard lock(mutex);
  current = made;
  return made;
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_CURRENT_GATE_HPP
