// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_GIL_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_GIL_HPP

#include <async_resource/python/detail/python.hpp>

#include <new>
#include <optional>

#include <async_resource/python/detail/attached.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>
#include <async_resource/python/detail/thread_states.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// In an interpreter and holding its GIL, unless its gate is closed: then it is false. May be nested, also in that of
// another interpreter, and used by a thread that already holds the GIL in another way.
class gil {
 public:
  explicit gil(const interpreter_pointer& python) noexcept {
    if (!python || !python->enter()) return;
    PyThreadState* own = thread_states::here().find(*python);
    PyThreadState* const outer = attached(own);
    if (!outer || interpreter_of(outer) != python->id()) {
      if (!own) own = thread_states::here().get(python);
      if (!own) {
        no_memory_ = true;
        python->leave();
        return;
      }
      if (outer) PyEval_SaveThread();
      python->keeper().ask_another_to_let_go();
      PyEval_RestoreThread(own);
      taken_ = true;
      outer_ = outer;
    }
    state_ = taken_ ? own : outer;
    python_ = python.get();
  }

  gil(const gil&) = delete;
  gil& operator=(const gil&) = delete;

  ~gil() {
    if (taken_) {
      thread_states::detach(*python_);
      if (outer_) PyEval_RestoreThread(outer_);
    }
    if (python_) python_->leave();
  }

  explicit operator bool() const noexcept { return python_ != nullptr; }

  // Whether it is that of this interpreter, which is to go on, and held at this moment. Asked by the thread that took
  // it.
  bool holds(const interpreter_pointer& python) const noexcept {
    return python_ && python_ == python.get() && attached(state_) == state_ && python_->open();
  }

  // Throws what keeps this thread from holding it.
  void check() const {
    if (no_memory_) throw std::bad_alloc();
    if (!python_) throw gone();
  }

 private:
  shared_interpreter* python_ = nullptr;
  PyThreadState* state_ = nullptr;
  PyThreadState* outer_ = nullptr;
  bool taken_ = false;
  bool no_memory_ = false;
};

// The GIL, held from one function's call to another's. Moved from or to only while it is not.
class gil_stay {
 public:
  gil_stay() = default;
  gil_stay(gil_stay&&) noexcept {}
  gil_stay& operator=(gil_stay&&) = delete;

  void begin(const interpreter_pointer& python) noexcept { lock_.emplace(python); }
  void end() noexcept { lock_.reset(); }
  explicit operator bool() const noexcept { return lock_.has_value(); }

  // Whether this thread, whose stay it is, has nothing to take.
  bool holds(const interpreter_pointer& python) const noexcept { return lock_ && lock_->holds(python); }

 private:
  std::optional<gil> lock_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_GIL_HPP
