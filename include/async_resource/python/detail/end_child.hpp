// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_END_CHILD_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_END_CHILD_HPP

#include <async_resource/python/detail/python.hpp>

#include <unistd.h>

#include <async_resource/python/detail/attribute.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// What Python would exit with, from what is pending, which is taken, and printed as Python would.
inline int take_exit_status() noexcept {
  if (!PyErr_Occurred()) return 0;
  if (!PyErr_ExceptionMatches(PyExc_SystemExit)) return PyErr_Print(), 1;
  const object code(get_attribute(take_exception().get(), "code"));
  if (!code || code.get() == Py_None) return 0;
  if (PyLong_Check(code.get())) return static_cast<int>(PyLong_AsLong(code.get()));  // -1 where it does not fit
  PySys_FormatStderr("%S\n", code.get());
  return 1;
}

// What multiprocessing has its children do. From CPython 3.12 on Py_FinalizeEx() crashes in a child that another thread
// than Python's first has forked.
inline constexpr const char* end_child_source = R"(
import atexit
import sys
import threading


def flush():
    for stream in sys.stdout, sys.stderr:
        if stream is not None:
            stream.flush()


for step in threading._shutdown, atexit._run_exitfuncs, flush:
    try:
        step()
    except BaseException:
        sys.excepthook(*sys.exc_info())
)";

// Ends this process, a child that Python code has forked, when it comes back to the caller: what it would go on with
// needs threads that only the parent has. As sys.exit() does, but for what C and C++ have registered. The GIL is held.
[[noreturn]] inline void end_child() noexcept {
  const int status = take_exit_status();
  PyErr_Clear();
  if (const object names(PyDict_New()); names)
    object(PyRun_String(end_child_source, Py_file_input, names.get(), names.get()));
  _exit(status);
}

// What a call of Python's API came to, null or not. A child that Python code has forked there does not come back.
inline PyObject* in_parent(const shared_interpreter& python, PyObject* result) noexcept {
  if (python.forked()) end_child();
  return result;
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_END_CHILD_HPP
