// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_RUNNING_CALL_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_RUNNING_CALL_HPP

#include <async_resource/python/detail/python.hpp>

#include <atomic>
#include <mutex>
#include <semaphore>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/python/detail/gil.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// For what the GIL guards. Never held while waiting for anything of Python's.
#ifdef Py_GIL_DISABLED
using gil_mutex = std::mutex;
#else
struct gil_mutex {
  void lock() const noexcept {}
  void unlock() const noexcept {}
};
#endif

// The call that runs, as whoever interrupts it sees it. Home sees to it that there is one interrupt a function at most,
// and finishes it before the next one: see interrupt() and finish_interrupt() in promise 6.
//
// Python delivers an exception that another thread sets between two bytecodes. The thread that sets it waits for the
// GIL, which a thread that runs bytecode gives away every few milliseconds.
class running_call {
 public:
  running_call() = default;

  // While none runs.
  running_call(running_call&&) noexcept {}
  running_call& operator=(running_call&&) = delete;

  // From here on an interrupt raises `exception`. The GIL is held, and `python` stays what it is. Throws if the
  // function has been interrupted before: that was the only time.
  class scope {
   public:
    scope(running_call& call, const interpreter_pointer& python, PyObject* exception) : call_(call) {
      call_.thread_ = PyThread_get_thread_ident();
      call_.exception_ = exception;
      call_.python_.store(&python, std::memory_order_seq_cst);
      if (!call_.asked_.load(std::memory_order_seq_cst)) return;
      end();
      throw std::system_error(asio::error::operation_aborted);
    }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() { end(); }

   private:
    // What has been set and not raised is for no other code of the function.
    void end() noexcept {
      const std::lock_guard alone(call_.mutex_);
      call_.python_.store(nullptr, std::memory_order_relaxed);
      if (std::exchange(call_.set_, false)) PyThreadState_SetAsyncExc(call_.thread_, nullptr);
    }

    running_call& call_;
  };

  // By whoever cancels.
  void interrupt() noexcept {
    asked_.store(true, std::memory_order_seq_cst);
    if (const auto* const python = python_.load(std::memory_order_seq_cst)) {
      const gil lock(*python);
      const std::lock_guard alone(mutex_);
      if (lock && python_.load(std::memory_order_acquire)) {
        set_ = true;
        PyThreadState_SetAsyncExc(thread_, exception_);
      }
    }
    interrupted_.release();
  }

  // At home, without the GIL, for which the interrupt may wait.
  void finish() noexcept {
    interrupted_.acquire();
    asked_.store(false, std::memory_order_relaxed);
  }

 private:
  // "Call published, then looked whether it has been asked" against "asked, then looked for a call": one of them sees
  // the other, hence sequentially consistent. What a call is, is published with it; it lasts until finish().
  std::atomic<bool> asked_ = false;
  std::atomic<const interpreter_pointer*> python_ = nullptr;
  unsigned long thread_ = 0;
  PyObject* exception_ = nullptr;
  gil_mutex mutex_;   // From looking for a call to setting, and around a call's end: none is set behind that.
  bool set_ = false;  // under that, and the GIL
  std::binary_semaphore interrupted_{0};
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_RUNNING_CALL_HPP
