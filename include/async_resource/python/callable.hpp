// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_CALLABLE_HPP
#define ASYNC_RESOURCE_PYTHON_CALLABLE_HPP

#include <async_resource/python/detail/python.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/home_ptr.hpp>
#include <async_resource/python/detail/current_gate.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/gate.hpp>
#include <async_resource/python/detail/gil.hpp>
#include <async_resource/python/detail/held.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/target.hpp>
#include <async_resource/python/interpreter.hpp>
#include <async_resource/python/reply.hpp>

namespace asyncres {
inline namespace v0 {
namespace python {

/// A Python callable and the interpreter it lives in: the resource behind a `python_app`.
/**
 * It takes the GIL when it is loaded, called or destroyed, and holds it for no longer. With the interpreter gone,
 * loading and calling throw a `python::error` that says so, and destroying it does nothing.
 *
 * `SystemExit` and `KeyboardInterrupt` are errors as any other: they end neither the thread nor the program.
 *
 * @par Thread Safety  One thread at a time, which `async_resource` sees to. Destroyed by any thread.
 */
class callable {
 public:
  /// What `target` names, loaded when it is first needed.
  /**
   * @param python  The interpreter. It need not outlive this.
   * @param target  `"module:attribute"`, either with dots: `"package.module:object.method"`.
   *
   * @par Exceptions `std::invalid_argument` if `target` is not of that form.
   */
  callable(interpreter& python, std::string target) : gate_(python.main_thread_.gate()), target_(std::move(target)) {}

  /// An object at hand. The GIL is held.
  /**
   * Home takes the GIL to call and to destroy it: a thread that waits for home's threads must not hold it.
   *
   * @param object  Not null; a reference of its own is taken.
   *
   * @par Exceptions `python::error` if it is not callable, or belongs to a sub-interpreter.
   */
  explicit callable(PyObject* object)
      : gate_(detail::current_gate()), function_(gate_, checked_callable(detail::object::share(object))) {}

  /// Import the module and find the callable, unless that is done.
  /**
   * @par Exceptions `python::error`: what importing raises, `AttributeError`, or `TypeError` if it cannot be called.
   *                 The next load or call tries again.
   */
  void load() {
    const detail::gil lock(gate_);
    if (!lock) throw detail::gone();
    load_locked();
  }

  /// Call with `request` as `bytes`.
  /**
   * @param request  Copied before Python code runs.
   * @param home     A handle of the resource that this is: where the reply is to be released.
   *
   * @returns What the callable returned, in place.
   *
   * @par Exceptions `python::error`: what the callable raises, or `TypeError` if it does not return `bytes`; what
   *                 load() throws; `std::system_error` with `errc::not_at_home`.
   */
  template <class Handle>
  reply operator()(asio::const_buffer request, const Handle& home) {
    const detail::gil lock(gate_);
    if (!lock) throw detail::gone();
    load_locked();
    detail::held result(gate_, call(request));
    const asio::const_buffer bytes(PyBytes_AS_STRING(result.get()),
                                   static_cast<std::size_t>(PyBytes_GET_SIZE(result.get())));
    return {make_home_ptr<detail::held>(home, std::move(result)), bytes};
  }

 private:
  static detail::object checked_callable(detail::object object) {
    if (PyCallable_Check(object.get())) return object;
    PyErr_Format(PyExc_TypeError, "expected a callable, got %.200s", Py_TYPE(object.get())->tp_name);
    throw detail::take_error();
  }

  void load_locked() {
    if (!function_) function_ = {gate_, checked_callable(target_->load())};
  }

  detail::object call(asio::const_buffer request) const {
    const auto argument = detail::checked(
        PyBytes_FromStringAndSize(static_cast<const char*>(request.data()), static_cast<Py_ssize_t>(request.size())));
    auto result = detail::checked(PyObject_CallFunctionObjArgs(function_.get(), argument.get(), nullptr));
    if (PyBytes_Check(result.get())) return result;
    PyErr_Format(PyExc_TypeError, "expected bytes from the callable, got %.200s", Py_TYPE(result.get())->tp_name);
    throw detail::take_error();
  }

  std::shared_ptr<detail::gate> gate_;
  std::optional<detail::target> target_;
  detail::held function_;
};

}  // namespace python
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_CALLABLE_HPP
