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
#include <async_resource/python/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// The GIL is held throughout this file.

inline object attribute_or_null(const object& of, const char* name) noexcept {
  object found(of ? get_attribute(of.get(), name) : nullptr);
  if (!found) PyErr_Clear();
  return found;
}

// Made by `async def`, or decorated by `types.coroutine`.
inline bool is_coroutine_code(const object& code) noexcept {
  const object flags = attribute_or_null(code, "co_flags");
  return flags && PyLong_Check(flags.get()) &&
         (PyLong_AsLong(flags.get()) & (CO_COROUTINE | CO_ITERABLE_COROUTINE)) != 0;
}

// As Python's `await` has it.
inline bool is_awaitable(const object& result) noexcept {
  const auto* const methods = Py_TYPE(result.get())->tp_as_async;
  return (methods && methods->am_await) ||
         (PyGen_CheckExact(result.get()) && is_coroutine_code(attribute_or_null(result, "gi_code")));
}

// Whether calling it gives a coroutine, as far as can be told: it is an `async def`, or a `functools.partial` of one,
// or a method or its class's `__call__` that is.
inline bool is_coroutine_function(const object& function) noexcept {
  object called = object::share(function.get());
  for (int nested = 0; nested != 100 && std::strcmp(Py_TYPE(called.get())->tp_name, "functools.partial") == 0; ++nested)
    called = attribute_or_null(called, "func");
  const object own_code = attribute_or_null(called, "__code__");
  if (own_code) return is_coroutine_code(own_code);
  const object type = object::share(reinterpret_cast<PyObject*>(Py_TYPE(called.get())));
  return is_coroutine_code(attribute_or_null(attribute_or_null(type, "__call__"), "__code__"));
}

// It will not be awaited, and does not complain of that.
inline void close_coroutine(const object& awaitable) noexcept {
  if (PyCoro_CheckExact(awaitable.get()) && !object(call_method(awaitable.get(), "close"))) PyErr_Clear();
}

// For somebody who can have bytes only.
inline error refuse_awaitable(object result) {
  close_coroutine(result);
  PyErr_Format(PyExc_TypeError, "expected bytes from the callable, got %.200s: use async_call, or callable::start",
               Py_TYPE(result.get())->tp_name);
  return take_error();
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_AWAITABLE_HPP
