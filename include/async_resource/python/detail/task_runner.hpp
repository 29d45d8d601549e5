// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_TASK_RUNNER_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_TASK_RUNNER_HPP

#include <async_resource/python/detail/python.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>
#include <async_resource/python/detail/attribute.hpp>
#include <async_resource/python/detail/awaitable.hpp>
#include <async_resource/python/detail/end_child.hpp>
#include <async_resource/python/detail/event_loop.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/gil.hpp>
#include <async_resource/python/detail/held.hpp>
#include <async_resource/python/detail/loop_alarm.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/request_task.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>
#include <async_resource/python/error.hpp>
#include <async_resource/python/reply.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// Runs the coroutines of one callable, on an event loop of their own, at home.
//
// The callable has it, and stops it. Apart from that it lives for as long as a step is queued or the Python functions
// that were given to the loop and to `atexit` are being called.
//
//   running --stop()----> ended      at home, or where the callable is destroyed: with the GIL, ends the loop
//   running --at_exit()-> ended      Python goes: in its thread, when nobody enters it any more
//
// Ending cancels what is under way, and waits for that in Python. What does not end is completed without it.
class task_runner : public task_canceller,
                    public sleeper,
                    public std::enable_shared_from_this<task_runner>,
                    private asyncres::detail::home_task {
 public:
  task_runner(const task_runner&) = delete;
  task_runner& operator=(const task_runner&) = delete;

  // At home with the GIL held, once.
  void open() {
    at_exit_ = {python_, function("stop", &task_runner::at_exit, new weak_pointer(weak_from_this()))};
    call_atexit("register");
  }

  // At home with the GIL held, until it is stopped. Throws `errc::queue_full` with so many under way.
  std::shared_ptr<request_task> start(const object& awaitable, std::size_t most) {
    if (under_way() >= most) {
      close_coroutine(awaitable);
      throw std::system_error(errc::queue_full);
    }
    auto request = std::make_shared<request_task>(std::shared_ptr<task_canceller>(shared_from_this()));
    const object done = function("done", &task_runner::done, new ended_call{weak_from_this(), request});
    request->task = {python_, loop_->start(awaitable, done)};
    try {
      const std::lock_guard lock(mutex_);
      requests_.insert(request);
      if (!owned_) {
        begin_work(*home_);
        home_->add_owner();
        owned_ = home_ref(home_);
      }
    } catch (...) {
      forget(request);
      throw;
    }
    wake();
    return request;
  }

  void cancel(std::shared_ptr<request_task> request) noexcept final {
    {
      const std::lock_guard lock(mutex_);
      request->next_to_cancel = std::exchange(to_cancel_, request);
    }
    wake();
  }

  // Has a step run at home, unless one is queued already.
  void wake() noexcept final {
    const home_ref home = own_home();
    if (!home || queued_.exchange(true, std::memory_order_acq_rel)) return;
    queue_owner_ = shared_from_this();
    if (!home->try_submit(*this)) leave_queue();
  }

  // The callable goes.
  void stop() noexcept {
    {
      const std::lock_guard lock(mutex_);
      home_ = nullptr;
    }
    if (const gil lock(python_); lock) {
      if (loop_) end(std::make_exception_ptr(std::system_error(errc::closed)), "unregister");
    } else {
      alarm_.stop();
      complete_all(std::make_exception_ptr(gone()));
    }
  }

  const interpreter_pointer& python() const noexcept { return python_; }

 protected:
  using home_base = asyncres::detail::home_base;
  using home_ref = asyncres::detail::home_ref<home_base>;

  // At home with the GIL held.
  task_runner(home_base& home, interpreter_pointer python)
      : python_(std::move(python)), loop_(std::in_place, python_), home_(&home) {}
  ~task_runner() = default;

  // At home: of its context. The latter where the callable is destroyed, too, with a lock held.
  virtual void begin_work(home_base& home) = 0;
  virtual void end_work() noexcept = 0;
  // At home.
  virtual reply make_reply(object result, const home_ref& home) = 0;

 private:
  using weak_pointer = std::weak_ptr<task_runner>;
  struct ended_call {
    weak_pointer runner;
    std::shared_ptr<request_task> request;
  };

  // A Python function of what `context` points to, which it owns.
  template <class Context>
  static object function(const char* name, PyCFunction call, Context* context) {
    std::unique_ptr<Context> owner(context);
    const object capsule = checked(PyCapsule_New(
        context, nullptr, [](PyObject* self) { delete static_cast<Context*>(PyCapsule_GetPointer(self, nullptr)); }));
    owner.release();
    static PyMethodDef definition{name, call, METH_VARARGS, nullptr};
    return checked(PyCFunction_New(&definition, capsule.get()));
  }
  template <class Context>
  static const Context& context_of(PyObject* capsule) noexcept {
    return *static_cast<Context*>(PyCapsule_GetPointer(capsule, nullptr));
  }

  // By the loop: a task has ended.
  static PyObject* done(PyObject* self, PyObject*) noexcept {
    const auto& [weak, request] = context_of<ended_call>(self);
    if (const auto runner = weak.lock(); runner && request->task) runner->finish(request);
    return object::share(Py_None).release();
  }

  // By Python's exit.
  static PyObject* at_exit(PyObject* self, PyObject*) noexcept {
    if (const auto runner = context_of<weak_pointer>(self).lock(); runner && !runner->python_->forked()) {
      PyThreadState* const state = PyEval_SaveThread();
      runner->python_->close();
      PyEval_RestoreThread(state);
      if (runner->loop_) runner->end(std::make_exception_ptr(gone()));
    }
    return object::share(Py_None).release();
  }

  void call_atexit(const char* method) {
    const object atexit = checked(PyImport_ImportModule("atexit"));
    checked(call_method(atexit.get(), method, at_exit_.get()));
  }

  void finish(const std::shared_ptr<request_task>& request) noexcept {
    std::exception_ptr error;
    reply value;
    try {
      value = reply_of(request->task);
    } catch (...) {
      error = std::current_exception();
    }
    request->complete(std::move(error), std::move(value));
    forget(request);
  }

  void forget(const std::shared_ptr<request_task>& request) noexcept {
    request->task.take();
    home_ref last;
    const std::lock_guard lock(mutex_);
    requests_.erase(request);
    if (requests_.empty()) last = let_home_go();
  }

  // With the lock held; what it returns, destroyed without it.
  home_ref let_home_go() noexcept {
    if (owned_) end_work();
    return std::move(owned_);
  }

  reply reply_of(const held& task) {
    object result(in_parent(*python_, call_method(task.get(), "result")));
    if (!result && is_cancelled(task)) throw std::system_error(asio::error::operation_aborted);
    if (!result) throw take_error();
    if (ending_) std::rethrow_exception(ending_);
    return make_reply(std::move(result), owned_);
  }

  // What result() raises is taken if so.
  static bool is_cancelled(const held& task) {
    const object raised = take_exception();
    const object cancelled = checked(call_method(task.get(), "cancelled"));
    if (cancelled.get() == Py_True) return true;
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised.get())), raised.get());
    return false;
  }

  void cancel_asked() noexcept {
    auto asked = [&] {
      const std::lock_guard lock(mutex_);
      return std::move(to_cancel_);
    }();
    while (const auto request = std::move(asked)) {
      asked = std::move(request->next_to_cancel);
      request->begin_cancelling();
      cancel_task(*request);
    }
  }

  static void cancel_task(const request_task& request) noexcept {
    if (request.task && !object(call_method(request.task.get(), "cancel"))) PyErr_Clear();
  }

  // With the GIL held: ends the loop. What it cancels ends as cancelled; what has a result comes too late for that.
  void end(std::exception_ptr late, const char* atexit = nullptr) noexcept {
    alarm_.stop();
    ending_ = late;
    try {
      if (atexit) call_atexit(atexit);
      loop_->close();
    } catch (const error& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
      PyErr_WriteUnraisable(nullptr);
    }
    for (const auto& request : complete_all(late)) request->task.take();
    loop_->drop();
    loop_.reset();
    at_exit_.take();
  }

  using request_set = std::unordered_set<std::shared_ptr<request_task>>;

  // Completes what is under way, whatever becomes of it in Python.
  request_set complete_all(const std::exception_ptr& error) noexcept {
    request_set left;
    home_ref last;
    {
      const std::lock_guard lock(mutex_);
      left.swap(requests_);
      while (to_cancel_) to_cancel_ = std::move(to_cancel_->next_to_cancel);
      last = let_home_go();
    }
    for (const auto& request : left) request->complete(error, {});
    return left;
  }

  // At home, as a task of its queue.
  void run(home_base& home) noexcept final {
    const asyncres::detail::user_code now(&home);
    const auto self = leave_queue();
    step();
  }
  void abandon(home_base* draining) noexcept final {
    const asyncres::detail::user_code now(draining);
    leave_queue();
  }
  void fail(std::error_code, home_base* draining) noexcept final { abandon(draining); }

  std::shared_ptr<task_runner> leave_queue() noexcept {
    auto self = std::move(queue_owner_);
    queued_.store(false, std::memory_order_release);
    return self;
  }

  void step() noexcept {
    const gil lock(python_);
    if (!lock || !loop_) return;
    cancel_asked();
    try {
      const auto after = loop_->step();
      if (python_->forked()) end_child();
      if (after == std::chrono::nanoseconds::zero()) return wake();
      alarm_.arm(shared_from_this(), loop_->descriptor(), after);
    } catch (...) {
      if (python_->forked()) end_child();
      const auto left = complete_all(std::current_exception());
      for (const auto& request : left) cancel_task(*request);
      if (!left.empty()) wake();  // For them to end. Should that fail, too, nothing is left.
    }
  }

  std::size_t under_way() noexcept {
    const std::lock_guard lock(mutex_);
    return requests_.size();
  }

  // An owner, unless the callable or home goes.
  home_ref own_home() noexcept {
    const std::lock_guard lock(mutex_);
    return home_ ? home_->try_own() : home_ref();
  }

  const interpreter_pointer python_;
  std::optional<event_loop> loop_;  // Until it has ended.
  held at_exit_;
  std::exception_ptr ending_;
  loop_alarm alarm_;
  std::atomic<bool> queued_{false};
  std::shared_ptr<task_runner> queue_owner_;  // For whoever has set that.

  std::mutex mutex_;  // Guards what follows.
  home_base* home_;   // There as long as the callable is.
  home_ref owned_;    // While requests are under way.
  request_set requests_;
  std::shared_ptr<request_task> to_cancel_;
};

// A callable's, which it stops.
class task_runner_pointer {
 public:
  task_runner_pointer() noexcept = default;
  task_runner_pointer(std::shared_ptr<task_runner> runner) noexcept : runner_(std::move(runner)) {}
  task_runner_pointer(task_runner_pointer&&) noexcept = default;
  task_runner_pointer& operator=(task_runner_pointer&& other) noexcept {
    task_runner_pointer(std::move(other)).runner_.swap(runner_);
    return *this;
  }
  ~task_runner_pointer() {
    if (runner_) runner_->stop();
  }

  task_runner& operator*() const noexcept { return *runner_; }
  explicit operator bool() const noexcept { return static_cast<bool>(runner_); }

 private:
  std::shared_ptr<task_runner> runner_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_TASK_RUNNER_HPP
