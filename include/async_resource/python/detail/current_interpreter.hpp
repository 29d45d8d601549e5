// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_CURRENT_INTERPRETER_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_CURRENT_INTERPRETER_HPP

#include <async_resource/python/detail/python.hpp>

#include <memory>
#include <mutex>

#include <async_resource/python/detail/attached.hpp>
#include <async_resource/python/detail/attribute.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>
#include <async_resource/python/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

inline PyObject* close_at_exit(PyObject* capsule, PyObject*) noexcept {
  const auto& python = *static_cast<interpreter_pointer*>(PyCapsule_GetPointer(capsule, nullptr));
  PyThreadState* const state = PyEval_SaveThread();
  python->close();
  PyEval_RestoreThread(state);
  python->delete_states();
  return object::share(Py_None).release();
}

inline void destroy_capsule(PyObject* capsule) noexcept {
  delete static_cast<interpreter_pointer*>(PyCapsule_GetPointer(capsule, nullptr));
}

// Has Python close it at exit: that is before it finalises anything, where Py_AtExit would be after.
inline void close_at_exit(const interpreter_pointer& python) {
  static PyMethodDef definition{"close", static_cast<PyCFunction>(close_at_exit), METH_NOARGS, nullptr};
  auto owner = std::make_unique<interpreter_pointer>(python);
  const object capsule = checked(PyCapsule_New(owner.get(), nullptr, destroy_capsule));
  owner.release();
  const object close = checked(PyCFunction_New(&definition, capsule.get()));
  const object atexit = checked(PyImport_ImportModule("atexit"));
  checked(call_method(atexit.get(), "register", close.get()));
}

// The interpreter that runs, which is the main one, shared by all who ask. The GIL is held.
inline interpreter_pointer current_interpreter() {
  static std::mutex mutex;  // never held across a call of Python's API
  static std::weak_ptr<shared_interpreter> current;
  if (interpreter_of(PyThreadState_Get()) != PyInterpreterState_Main())
    throw error("RuntimeError", "async_resource takes no object of a sub-interpreter");
  {
    const std::lock_guard lock(mutex);
    if (auto python = current.lock(); python && python->open()) return python;
  }
  auto made = std::make_shared<shared_interpreter>();
  close_at_exit(made);  // which may let another thread run, and make one, too
  const std::lock_guard lock(mutex);
  if (auto python = current.lock(); python && python->open()) return python;
  current = made;
  return made;
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_CURRENT_INTERPRETER_HPP
