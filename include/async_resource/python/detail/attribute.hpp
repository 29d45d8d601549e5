// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_ATTRIBUTE_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_ATTRIBUTE_HPP

#include <async_resource/python/detail/python.hpp>

#include <concepts>

#include <async_resource/python/detail/object.hpp>

// PyObject_GetAttrString() and PyObject_CallMethod() make a new string each time, which CPython's cache of methods then
// keeps and never finds again. Interned, a name is the same object each time.

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// A new reference, or null with an exception pending. The GIL is held.
inline PyObject* get_attribute(PyObject* of, const char* name) noexcept {
  const object interned(PyUnicode_InternFromString(name));
  return interned ? PyObject_GetAttr(of, interned.get()) : nullptr;
}

// The same, of what the method returns.
template <std::convertible_to<PyObject*>... Arguments>
PyObject* call_method(PyObject* of, const char* name, Arguments... arguments) noexcept {
  const object interned(PyUnicode_InternFromString(name));
  return interned ? PyObject_CallMethodObjArgs(of, interned.get(), arguments..., nullptr) : nullptr;
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_ATTRIBUTE_HPP
