// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_SUBINTERPRETER_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_SUBINTERPRETER_HPP

#include <async_resource/python/detail/python.hpp>

#if PY_VERSION_HEX >= 0x030C0000

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <async_resource/python/detail/attached.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/gil.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>
#include <async_resource/python/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// sys.path, to be had in another interpreter.
class module_path {
 public:
  // Of the one that is attached.
  static module_path copy() {
    module_path result;
    PyObject* const path = PySys_GetObject("path");                // borrowed
    const object entries(path ? PySequence_List(path) : nullptr);  // which need not be a list
    if (!entries) PyErr_Clear();
    for (Py_ssize_t i = 0; entries && i != PyList_GET_SIZE(entries.get()); ++i) {
      const object text(PyUnicode_EncodeFSDefault(PyList_GET_ITEM(entries.get(), i)));
      if (text)
        result.entries_.emplace_back(PyBytes_AS_STRING(text.get()),
                                     static_cast<std::size_t>(PyBytes_GET_SIZE(text.get())));
      else
        PyErr_Clear();  // no path: importing passes over it as well
    }
    return result;
  }

  void install() const {
    const object path = checked(PyList_New(0));
    for (const auto& entry : entries_) {
      const object text =
          checked(PyUnicode_DecodeFSDefaultAndSize(entry.data(), static_cast<Py_ssize_t>(entry.size())));
      if (PyList_Append(path.get(), text.get()) != 0) throw take_error();
    }
    if (PySys_SetObject("path", path.get()) != 0) throw take_error();
  }

 private:
  std::vector<std::string> entries_;
};

// An interpreter with a GIL of its own, in the process of another one, which it does not outlive: ended by whichever
// comes first, its owner's destructor or the closing of the parent.
//
// Made and destroyed by any thread, with the parent's GIL or without.
class subinterpreter {
 public:
  explicit subinterpreter(interpreter_pointer parent) : parent_(std::move(parent)) {
    const gil lock(parent_);
    lock.check();
    const auto path = module_path::copy();
    PyThreadState* const outer = PyThreadState_Get();
    PyThreadState* first = nullptr;
    const PyStatus status = Py_NewInterpreterFromConfig(&first, &configuration);
    if (PyStatus_Exception(status))
      throw error("RuntimeError", std::string("no sub-interpreter: ") + (status.err_msg ? status.err_msg : "it exits"));
    // The new one's GIL is held now, and the parent's is not.
    try {
      path.install();
      running_ = std::make_shared<running>(first);
    } catch (...) {
      Py_EndInterpreter(first);
      PyEval_RestoreThread(outer);
      throw;
    }
    PyEval_SaveThread();
    PyEval_RestoreThread(outer);
    parent_->add(running_);
  }

  subinterpreter(const subinterpreter&) = delete;
  subinterpreter& operator=(const subinterpreter&) = delete;

  ~subinterpreter() {
    if (!parent_->enter()) return;  // The parent ends it, or has done so.
    running_->end();
    parent_->leave();
  }

  const interpreter_pointer& python() const noexcept { return running_->python; }

 private:
  static constexpr PyInterpreterConfig configuration{
      .use_main_obmalloc = 0,
      .allow_fork = 0,
      .allow_exec = 0,
      .allow_threads = 1,
      .allow_daemon_threads = 0,
      .check_multi_interp_extensions = 1,
      .gil = PyInterpreterConfig_OWN_GIL,
  };

  struct running final : dependent {
    explicit running(PyThreadState* state) : first(state) {}

    // Waits for those inside. CPython ends an interpreter with the only thread state that it has left.
    void end() noexcept override {
      std::call_once(ended, [this] {
        PyThreadState* const outer = attached();
        if (outer) PyEval_SaveThread();
        python->close();
        PyEval_RestoreThread(first);
        python->delete_states();
        Py_EndInterpreter(first);
        if (outer) PyEval_RestoreThread(outer);
      });
    }

    const interpreter_pointer python = std::make_shared<shared_interpreter>();
    PyThreadState* const first;
    std::once_flag ended;
  };

  const interpreter_pointer parent_;
  std::shared_ptr<running> running_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_SUBINTERPRETER_HPP
