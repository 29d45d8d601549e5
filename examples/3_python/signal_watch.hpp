// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SIGNAL_WATCH_HPP
#define ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SIGNAL_WATCH_HPP

#include <async_resource/python.hpp>

#include <array>
#include <asio/buffer.hpp>
#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "../support/server.hpp"

namespace example {

/// This thread without the GIL, for as long as it lives.
class released_gil {
 public:
  released_gil() = default;
  released_gil(const released_gil&) = delete;
  released_gil& operator=(const released_gil&) = delete;
  ~released_gil() { PyEval_RestoreThread(state_); }

  PyThreadState* state() const noexcept { return state_; }

  /// Call `function` with it after all.
  template <class Function>
  auto with_gil(Function function) {
    PyEval_RestoreThread(state_);
    const auto result = function();
    state_ = PyEval_SaveThread();
    return result;
  }

 private:
  PyThreadState* state_ = PyEval_SaveThread();
};

/// Thrown where a Python exception is pending.
struct pending {};

/// The exception that is pending, put aside.
class exception_aside {
 public:
  exception_aside() { PyErr_Fetch(&type_, &value_, &traceback_); }
  exception_aside(const exception_aside&) = delete;
  exception_aside& operator=(const exception_aside&) = delete;

  /// A later one replaces it.
  ~exception_aside() {
    if (PyErr_Occurred()) {
      Py_XDECREF(type_);
      Py_XDECREF(value_);
      Py_XDECREF(traceback_);
    } else {
      PyErr_Restore(type_, value_, traceback_);
    }
  }

 private:
  PyObject* type_;
  PyObject* value_;
  PyObject* traceback_;
};

/// Has Python's signal handlers run while the server runs, and stops it when one of them raises.
/**
 * Python writes a byte to the wakeup descriptor when a signal arrives. Constructed and destroyed with the GIL held, by
 * the main thread, which is the one that runs the server.
 */
class signal_watch {
 public:
  explicit signal_watch(server& watched)
      : server_(watched), wakeup_(watched.get_executor()), signalled_(watched.get_executor()) {
    asio::local::connect_pair(wakeup_, signalled_);
    wakeup_.native_non_blocking(true);
    previous_ = set_wakeup_descriptor(wakeup_.native_handle());
    if (!PyErr_Occurred()) return;
    if (PyErr_ExceptionMatches(PyExc_ValueError))
      PyErr_SetString(PyExc_RuntimeError, "serve() must be called from the main thread, to be stopped by Ctrl-C");
    throw pending();
  }

  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

  ~signal_watch() {
    const exception_aside raised;
    set_wakeup_descriptor(previous_);
  }

  /// Run the handlers of the signals that have come, with the GIL held. Whether one raised; its exception is kept.
  /**
   * A child that a handler forks ends with it: the server is the parent's.
   */
  bool run_handlers() {
    const asyncres::python::detail::fork_mark before;
    const bool raised = PyErr_CheckSignals() != 0;
    if (before.forked()) asyncres::python::detail::end_child();
    if (raised) raised_ = asyncres::python::detail::take_exception();
    return raised;
  }

  /// Make the last exception that was kept the pending one, if there is one. With the GIL held.
  void raise() const {
    if (raised_) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised_.get())), raised_.get());
  }

  /// `handle` has run_handlers() called.
  void start(std::function<bool()> handle) {
    handle_ = std::move(handle);
    wait();
  }

  /// Whether one has raised.
  bool interrupted() const noexcept { return interrupts_ != 0; }

  /// Wait for `blocking()` on a thread of its own, while the server does not run; throws what that throws.
  /**
   * It may depend on Python code that is inside C code, which nothing interrupts. Whoever has interrupted twice before,
   * and does it once more, has the process die of SIGINT.
   */
  template <class Function>
  void wait_for(Function blocking) {
    std::packaged_task<void()> task(std::move(blocking));
    auto result = task.get_future();
    const std::jthread thread([&] {
      task();
      wake();
    });
    while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      if (handle_() && ++interrupts_ > 2) die();
      std::error_code ignored;
      signalled_.read_some(asio::buffer(bytes_), ignored);
    }
    result.get();
  }

 private:
  // Where there is no room for a byte, there is one to be read.
  void wake() {
    std::error_code ignored;
    wakeup_.write_some(asio::buffer("", 1), ignored);
  }

  static void die() {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }

  // Returns the descriptor set before. Raises ValueError in any thread but the main one.
  static int set_wakeup_descriptor(int descriptor) {
    PyObject* const module = PyImport_ImportModule("signal");
    PyObject* const previous = module ? PyObject_CallMethod(module, "set_wakeup_fd", "i", descriptor) : nullptr;
    const long result = previous ? PyLong_AsLong(previous) : -1;
    Py_XDECREF(previous);
    Py_XDECREF(module);
    return static_cast<int>(result);
  }

  void wait() {
    signalled_.async_read_some(asio::buffer(bytes_), [this](std::error_code error, std::size_t) {
      if (error) return;
      if (handle_()) ++interrupts_, server_.stop();
      wait();
    });
  }

  server& server_;
  asio::local::stream_protocol::socket wakeup_;
  asio::local::stream_protocol::socket signalled_;
  std::function<bool()> handle_;
  std::array<char, 64> bytes_;
  int interrupts_ = 0;
  asyncres::python::detail::object raised_;  // never pending while the server runs, which runs Python code
  int previous_;
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SIGNAL_WATCH_HPP
