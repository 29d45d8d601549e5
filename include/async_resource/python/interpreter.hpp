// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_INTERPRETER_HPP
#define ASYNC_RESOURCE_PYTHON_INTERPRETER_HPP

#include <async_resource/python/detail/python.hpp>

#include <atomic>
#include <stdexcept>

#include <async_resource/python/detail/main_thread.hpp>
#include <async_resource/python/interpreter_options.hpp>

namespace asyncres {
inline namespace v0 {
namespace python {

/// The Python interpreter of a program that embeds one. An extension module, which Python loads, does without.
/**
 * Isolated: no environment variable changes it, unless asked; signals, the locale and the standard streams stay the
 * host's. The GIL is held during the constructor, during the destructor, and by homes as their `gil_policy` says; never
 * otherwise. Python's main thread is one of its own, which sleeps in between.
 *
 * The destructor lets the call that runs finish; those still queued fail, with a `python::error` that says that the
 * interpreter is gone. Then it finalises Python, which waits for Python threads that are no daemons (one started by a
 * call is, unless told otherwise) and calls `atexit` functions. Apps, callables, replies and errors may outlive it.
 *
 * In a child that is forked it is gone: calls say so, objects of Python are left alone, and nothing waits for threads
 * that only the parent has. A child that a callable forks ends where the callable returns or raises.
 *
 * @par Thread Safety
 * Constructed by any thread and destroyed by any thread, except by one that holds the GIL or is in a call.
 */
class interpreter {
 public:
  /// Start Python.
  /**
   * @param options  Where it looks for modules, and what it may look at.
   *
   * @par Exceptions
   * `std::logic_error` if Python already runs in this process; `std::runtime_error` if it does not start, as when its
   * standard library is not found: then CPython will not start in this process any more.
   */
  explicit interpreter(const interpreter_options& options = {}) : main_thread_(options) {}

 private:
  friend class callable;

  // There is one in a process: held from before Python starts until after it is finalised.
  class claim {
   public:
    claim() {
      if (Py_IsInitialized() || taken().exchange(true))
        throw std::logic_error("Python already runs in this process: there is one interpreter at a time");
    }
    claim(const claim&) = delete;
    claim& operator=(const claim&) = delete;
    ~claim() { taken() = false; }

   private:
    static std::atomic<bool>& taken() noexcept {
      static std::atomic<bool> instance = false;
      return instance;
    }
  };

  claim claim_;
  detail::main_thread main_thread_;
};

}  // namespace python
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_INTERPRETER_HPP
