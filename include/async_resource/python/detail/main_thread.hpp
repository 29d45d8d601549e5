// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_MAIN_THREAD_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_MAIN_THREAD_HPP

#include <async_resource/python/detail/python.hpp>

#include <exception>
#include <functional>
#include <future>
#include <semaphore>
#include <thread>
#include <utility>

#include <async_resource/python/detail/current_interpreter.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/initialize.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>
#include <async_resource/python/detail/thread_states.hpp>
#include <async_resource/python/interpreter_options.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// What Python takes for its main thread: it starts Python, sleeps, and finalises Python. CPython wants that to be one
// thread, and on any other finalisation may wait for it forever.
class main_thread {
 public:
  // Returns when Python runs, or throws what kept it from that.
  explicit main_thread(const interpreter_options& options) {
    std::promise<interpreter_pointer> started;
    auto python = started.get_future();
    thread_ = std::thread(&main_thread::run, this, std::cref(options), std::move(started));
    try {
      python_ = python.get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }

  main_thread(const main_thread&) = delete;
  main_thread& operator=(const main_thread&) = delete;

  ~main_thread() {
    thread_states::here().let_go(*python_);
    stop_.release();
    if (python_->forked())
      thread_.detach();  // The parent has it.
    else
      thread_.join();
  }

  const interpreter_pointer& python() const noexcept { return python_; }

 private:
  void run(const interpreter_options& options, std::promise<interpreter_pointer> started) {
    interpreter_pointer python;
    try {
      python = start(options);
    } catch (...) {
      return started.set_exception(std::current_exception());
    }
    PyThreadState* const state = PyEval_SaveThread();
    started.set_value(python);
    stop_.acquire();
    python->close();
    PyEval_RestoreThread(state);
    python->delete_states();
    Py_FinalizeEx();
  }

  // The GIL is held from here on, unless it throws.
  static interpreter_pointer start(const interpreter_options& options) {
    initialize(options);
    try {
      extend_path(options);
      checked(PyImport_ImportModule("threading"));  // takes the thread that first imports it for the main one
      return current_interpreter();
    } catch (...) {
      Py_FinalizeEx();
      throw;
    }
  }

  std::thread thread_;
  interpreter_pointer python_;
  std::binary_semaphore stop_{0};
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_MAIN_THREAD_HPP
