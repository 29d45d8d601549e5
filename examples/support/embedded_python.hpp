// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_EMBEDDED_PYTHON_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_EMBEDDED_PYTHON_HPP

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

// CPython embedded by hand, for the figures. `asyncres::python` is what a program should use.

namespace example {

struct decref {
  void operator()(PyObject* object) const { Py_DECREF(object); }
};

using object = std::unique_ptr<PyObject, decref>;

class gil {
 public:
  gil() = default;
  gil(const gil&) = delete;
  gil& operator=(const gil&) = delete;
  ~gil() { PyGILState_Release(state_); }

 private:
  PyGILState_STATE state_ = PyGILState_Ensure();
};

/// Python, from construction to destruction; nobody holds the GIL in between.
class embedded_python {
 public:
  explicit embedded_python(const std::string& app_dir) {
    Py_InitializeEx(0);
    const object path(PyUnicode_DecodeFSDefault(app_dir.c_str()));
    if (path) PyList_Insert(PySys_GetObject("path"), 0, path.get());
    main_ = PyEval_SaveThread();
  }

  embedded_python(const embedded_python&) = delete;
  embedded_python& operator=(const embedded_python&) = delete;

  ~embedded_python() {
    PyEval_RestoreThread(main_);
    Py_FinalizeEx();
  }

 private:
  PyThreadState* main_;
};

/// The object that "module:attribute" names, for as long as Python lives.
inline PyObject* load(const std::string& target) {
  const auto colon = target.find(':');
  if (colon == std::string::npos) throw std::invalid_argument("'" + target + "' is not of the form module:callable");
  const gil lock;
  const object module(PyImport_ImportModule(target.substr(0, colon).c_str()));
  PyObject* const attribute = module ? PyObject_GetAttrString(module.get(), target.c_str() + colon + 1) : nullptr;
  if (!attribute) {
    PyErr_Print();
    throw std::runtime_error("cannot load " + target);
  }
  return attribute;
}

/// Call with bytes, for bytes. The GIL is held.
inline std::string call(PyObject* callable, const std::string& request) {
  const object argument(PyBytes_FromStringAndSize(request.data(), static_cast<Py_ssize_t>(request.size())));
  const object reply(argument ? PyObject_CallFunctionObjArgs(callable, argument.get(), nullptr) : nullptr);
  char* data;
  Py_ssize_t size;
  if (!reply || PyBytes_AsStringAndSize(reply.get(), &data, &size) != 0) {
    PyErr_WriteUnraisable(callable);
    throw std::runtime_error("the callable failed");
  }
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_EMBEDDED_PYTHON_HPP
