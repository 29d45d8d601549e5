// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_AWAITABLE_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_AWAITABLE_HPP

#include <async_resource/python/detail/python.hpp>

#include <cstring>

#include <async_resource/python/detail/attribute.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/object.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// The GIL is held throughout this file.

inline bool is_awaitable(const object& result) noexcept {
  const auto* const methods = Py_TYPE(result.get())->tp_as_async;
  return methods && methods->am_await;
}

inline object attribute_or_null(const object& of, const char* name) noexcept {
  object found(of ? get_attribute(of.get(), name) : nullptr);
  if (!found) PyErr_Clear();
  return found;
}

// Whether calling it gives a coroutine, as far as can be told: it is an `async def`, or a `functools.partial` of one,
// or a method or `__call__` that is.
inline bool is_coroutine_function(const object& function) noexcept {
  object called = object::share(function.get());
  while (std::strcmp(Py_TYPE(called.get())->tp_name, "functools.partial") == 0)
    called = attribute_or_null(called, "func");
  object code = attribute_or_null(called, "__code__");
  if (!code) code = attribute_or_null(attribute_or_null(called, "__call__"), "__code__");
  const object flags = attribute_or_null(code, "co_flags");
  return flags && PyLong_Check(flags.get()) && (PyLong_AsLong(flags.get()) & CO_COROUTINE) != 0;
}

// For somebody who can have bytes only. Closed, a coroutine does not complain that nobody awaited it.
inline error refuse_awaitable(object result) {
  if (PyCoro_CheckExact(result.get()) && !object(call_method(result.get(), "close"))) PyErr_Clear();
  PyErr_Format(PyExc_TypeError, "expected bytes from the callable, got %.200s: use async_call, or callable::start",
               Py_TYPE(result.get())->tp_name);
  return take_error();
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_AWAITABLE_HPP
