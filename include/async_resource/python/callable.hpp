// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_CALLABLE_HPP
#define ASYNC_RESOURCE_PYTHON_CALLABLE_HPP

#include <async_resource/python/detail/python.hpp>

#include <concepts>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/detail/access.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/error.hpp>
#include <async_resource/home_ptr.hpp>
#include <async_resource/python/detail/awaitable.hpp>
#include <async_resource/python/detail/buffer.hpp>
#include <async_resource/python/detail/cancelled.hpp>
#include <async_resource/python/detail/context_copy.hpp>
#include <async_resource/python/detail/current_interpreter.hpp>
#include <async_resource/python/detail/end_child.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/gil.hpp>
#include <async_resource/python/detail/held.hpp>
#include <async_resource/python/detail/kept_gil.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/request_view.hpp>
#include <async_resource/python/detail/running_call.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>
#include <async_resource/python/detail/subinterpreter.hpp>
#include <async_resource/python/detail/target.hpp>
#include <async_resource/python/detail/task_runner.hpp>
#include <async_resource/python/detail/task_runner_at.hpp>
#include <async_resource/python/detail/thread_states.hpp>
#include <async_resource/python/error.hpp>
#include <async_resource/python/interpreter.hpp>
#include <async_resource/python/options.hpp>
#include <async_resource/python/pending_reply.hpp>
#include <async_resource/python/reply.hpp>

namespace asyncres {
inline namespace v0 {
namespace python {

/// A Python callable and the interpreter it lives in: the resource behind a `python_app`.
/**
 * It takes the GIL as its `gil_policy` says. With the interpreter gone, loading and calling throw a `python::error`
 * that says so, and destroying it does nothing.
 *
 * `SystemExit` and `KeyboardInterrupt` are errors as any other: they end neither the thread nor the program.
 *
 * A call that runs while its operation is cancelled is interrupted: Python raises `asyncres.Cancelled` in it, between
 * two bytecodes. Whoever cancels waits for the GIL, mostly less than `sys.getswitchinterval()`.
 *
 * @par Thread Safety  One thread at a time, which `async_resource` sees to. Destroyed by any thread.
 */
class callable {
 public:
  /// What `target` names, loaded when it is first needed.
  /**
   * @param python  The interpreter, or with `gil_policy::own_gil` the one whose sub-interpreter it lives in. It need
   *                not outlive this.
   * @param target  `"module:attribute"`, either with dots: `"package.module:object.method"`.
   *
   * @par Exceptions `std::invalid_argument` if `target` is not of that form, or CPython lacks the policy.
   */
  callable(interpreter& python, std::string target, const python_options& options = {})
      : callable(python.main_thread_.python(), options) {
    target_.emplace(std::move(target));
    check_options();
  }

  /// The same in the interpreter that runs, which is for extension modules. The GIL is held.
  /**
   * @par Exceptions As above, and `python::error` in a sub-interpreter.
   */
  explicit callable(std::string target, const python_options& options = {})
      : callable(detail::current_interpreter(), options) {
    target_.emplace(std::move(target));
    check_options();
  }

  /// An object at hand. The GIL is held.
  /**
   * Home takes the GIL to call and to destroy it: a thread that waits for home's threads must not hold it.
   *
   * @param object  Not null; a reference of its own is taken.
   *
   * @par Exceptions `python::error` if it is not callable, or belongs to a sub-interpreter; `std::invalid_argument` if
   *                 CPython lacks the policy, and for `gil_policy::own_gil`, since an object lives in one interpreter.
   */
  explicit callable(PyObject* object, const python_options& options = {})
      : callable(detail::current_interpreter(), options) {
    check_options();
    take(checked_callable(detail::object::share(object)));
  }

  /// One that has not been called yet, with other options.
  callable(callable&& other, const python_options& options) : callable(std::move(other)) {
    options_ = options;
    check_options();
  }

  const python_options& options() const noexcept { return options_; }

  /// Import the module and find the callable, unless that is done.
  /**
   * @par Exceptions `python::error`: what importing raises, `AttributeError`, or `TypeError` if it cannot be called.
   *                 The next load or call tries again.
   */
  void load() {
    prepare();
    const detail::gil lock(python_);
    lock.check();
    load_locked();
  }

  /// Call with `request`, as `python_options::request` says, and keep the reply where it is.
  /**
   * @param request  Not needed any more when this returns.
   * @param home     A handle of the resource that this is, a lease of it, or its pool: where the reply is to be
   *                 released.
   *
   * @returns What the callable returned: anything with the buffer protocol, in one piece.
   *
   * @par Exceptions `python::error`: what the callable raises, or `TypeError` if it does not return `bytes` or the
   *                 like; what load() throws; `std::system_error` with `errc::not_at_home`, and with
   *                 `asio::error::operation_aborted` if the call was interrupted.
   */
  template <class Handle>
  reply operator()(asio::const_buffer request, const Handle& home) {
    know(home);
    reply result;
    call(request, true, [&](detail::object returned, const detail::request_view* view) {
      result = make_reply(python_, detail::bytes_of(std::move(returned), view), home);
    });
    return result;
  }

  /// The same; what is a coroutine function goes on at home, on an asyncio loop of this callable. It is given `bytes`.
  /**
   * @param request  Not needed any more when this returns.
   * @param home     A handle of the resource that this is, a lease of it, or its pool.
   *
   * @returns What the callable returned, in place, or what its coroutine will return.
   *
   * @par Exceptions As for operator(), but for what the coroutine raises; `std::system_error` with `errc::queue_full`
   *                 where as many coroutines are under way as `python_options::max_awaiting` says.
   */
  template <class Handle>
  pending_reply start(asio::const_buffer request, const Handle& home) {
    return begin(request, home,
                 [&](detail::buffer&& bytes) -> pending_reply { return make_reply(python_, std::move(bytes), home); });
  }

  /// The same, for a reply that is not kept: `use(asio::const_buffer)` is called with one that is there, the GIL held.
  /**
   * @returns What a coroutine will return; for a reply that was there, the empty one.
   */
  template <class Handle, std::invocable<asio::const_buffer> Use>
  [[nodiscard]] pending_reply with_reply(asio::const_buffer request, const Handle& home, Use&& use) {
    return begin(request, home, [&](const detail::buffer& bytes) {
      std::forward<Use>(use)(bytes.bytes());
      return pending_reply();
    });
  }

  /// Whether it is an `async def`, as far as can be told before it is called. Loads it, as load() does.
  bool is_coroutine_function() {
    load();
    return is_coroutine_function_;
  }

  // What async_resource does with it at home: see batched, interruptible and finishes_interrupts.
  friend void enter_batch(callable& self) noexcept { self.take_gil(); }
  friend void leave_batch(callable& self) noexcept { self.stay_.end(); }
  friend void interrupt(callable& self) noexcept { self.running_.interrupt(); }
  friend void finish_interrupt(callable& self) noexcept { self.finish_interrupt(); }

 private:
  template <class Home>
  friend class detail::task_runner_at;

  callable(detail::interpreter_pointer python, const python_options& options)
      : python_(std::move(python)), options_(options) {}

  void check_options() const {
    detail::require_available(options_.gil);
    if (options_.gil == gil_policy::own_gil && !target_)
      throw std::invalid_argument("gil_policy::own_gil: an object lives in one interpreter; give \"module:attribute\"");
  }

  static detail::object checked_callable(detail::object object) {
    if (PyCallable_Check(object.get())) return object;
    PyErr_Format(PyExc_TypeError, "expected a callable, got %.200s", Py_TYPE(object.get())->tp_name);
    throw detail::take_error();
  }

  template <class Handle>
  void know(const Handle& home) {
    if (options_.gil == gil_policy::held) kept_.know(home, python_);
  }

  // What is held is taken by the first call, so that this cannot fail.
  void take_gil() noexcept {
    if (options_.gil != gil_policy::held || python_->keeper().mine()) stay_.begin(python_);
  }

  void finish_interrupt() noexcept {
    const bool stayed(stay_);
    stay_.end();
    detail::thread_states::here().let_go(*python_);
    running_.finish();
    if (stayed) take_gil();
  }

  // Before the GIL is taken.
  void prepare() {
    if (options_.gil == gil_policy::held) kept_.keep(python_);
#if PY_VERSION_HEX >= 0x030C0000
    if (options_.gil != gil_policy::own_gil || own_) return;
    own_ = std::make_unique<detail::subinterpreter>(python_);
    python_ = own_->python();
#endif
  }

  void load_locked() {
    if (!cancelled_) cancelled_ = {python_, detail::cancelled_class()};
    if (!function_) take(checked_callable(import()));
  }

  void take(detail::object function) {
    is_coroutine_function_ = detail::is_coroutine_function(function);
    function_ = {python_, std::move(function)};
  }

  // In CPython's words, which have no type of their own.
  static bool refuses_subinterpreters(const error& e) {
    return e.type() == "ImportError" &&
           std::string_view(e.what()).ends_with("does not support loading in subinterpreters");
  }

  detail::object import() const try { return target_->load(*python_); } catch (const error& e) {
    if (options_.gil != gil_policy::own_gil || !refuses_subinterpreters(e)) throw;
    throw error(e.type(),
                std::string(e.what()) +
                    " (gil_policy::own_gil runs every callable in a sub-interpreter: a "
                    "module that does not support that needs another policy, or a process of its own)",
                e.traceback());
  }

  template <class Handle>
  static reply make_reply(const detail::interpreter_pointer& python, detail::buffer&& bytes, const Handle& home) {
    const asio::const_buffer where = bytes.bytes();
    return {make_home_ptr<detail::held_buffer>(home, python, std::move(bytes)), where};
  }

  template <class Handle>
  detail::task_runner& tasks(const Handle& handle) {
    if (!tasks_) {
      const auto home = asyncres::detail::access::home_here(handle);
      if (!home) throw std::system_error(errc::not_at_home);
      tasks_ = detail::task_runner_at<std::decay_t<decltype(*home)>>::make(*home, python_);
    }
    return *tasks_;
  }

  // What a coroutine will return; for bytes that are there, what `take(buffer)` makes of them, called with the GIL
  // held.
  template <class Handle, class Take>
  pending_reply begin(asio::const_buffer request, const Handle& home, const Take& take) {
    know(home);
    pending_reply result;
    call(request, false, [&](detail::object returned, const detail::request_view* view) {
      if (detail::is_awaitable(returned))
        result = pending_reply(tasks(home).start(returned, options_.max_awaiting));
      else
        result = take(detail::bytes_of(std::move(returned), view));
    });
    return result;
  }

  // `use(object, const request_view*)` is called with what the callable returned, in a context of its own, the GIL
  // held.
  template <class Use>
  void call(asio::const_buffer request, bool at_once, Use&& use) {
    prepare();
    std::optional<detail::gil> lock;
    if (!stay_.holds(python_)) lock.emplace(python_).check();
    load_locked();
    const detail::context_copy context;
    const auto take = [&](detail::object result, const detail::request_view* view) {
      if (at_once && detail::is_awaitable(result)) throw detail::refuse_awaitable(std::move(result));
      use(std::move(result), view);
    };
    if (options_.request == request_type::view && !is_coroutine_function_)
      call_with_view(request, take);
    else
      take(call(detail::to_bytes(request)), nullptr);
  }

  template <class Take>
  void call_with_view(asio::const_buffer request, const Take& take) {
    detail::request_view view(request);
    try {
      take(call(view.get()), &view);
    } catch (...) {
      view.revoke();
      throw;
    }
    view.revoke();
  }

  detail::object call(const detail::object& argument) {
    PyObject* const result = detail::in_parent(*python_, call_interruptibly(argument));
    if (!result && PyErr_ExceptionMatches(cancelled_.get())) {
      PyErr_Clear();
      throw std::system_error(asio::error::operation_aborted);
    }
    return detail::checked(result);
  }

  // No longer than the call itself: what looks at an exception runs Python code, too.
  PyObject* call_interruptibly(const detail::object& argument) {
    const detail::running_call::scope now(running_, python_, cancelled_.get());
#if PY_VERSION_HEX >= 0x03090000
    return PyObject_CallOneArg(function_.get(), argument.get());
#else
    return PyObject_CallFunctionObjArgs(function_.get(), argument.get(), nullptr);
#endif
  }

#if PY_VERSION_HEX >= 0x030C0000
  std::unique_ptr<detail::subinterpreter> own_;
#endif
  detail::interpreter_pointer python_;
  python_options options_;
  std::optional<detail::target> target_;
  detail::held function_;
  detail::held cancelled_;
  bool is_coroutine_function_ = false;  // Known when there is a function.
  detail::kept_gil kept_;
  detail::gil_stay stay_;
  detail::running_call running_;
  detail::task_runner_pointer tasks_;
};

}  // namespace python
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_CALLABLE_HPP
