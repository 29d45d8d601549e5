// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_EXCEPTION_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_EXCEPTION_HPP

#include <async_resource/python/detail/python.hpp>

#include <cstddef>
#include <string>

#include <async_resource/python/detail/attribute.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/error.hpp>

// From Python's pending exception to python::error. The GIL is held throughout. What fails on the way, an exception's
// own __str__ for one, leaves a substitute in the text and no exception pending.

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// The pending exception, which no longer is; its traceback is attached.
inline object take_exception() noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  return object(PyErr_GetRaisedException());
#else
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  const object owned_type(type), owned_traceback(traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  return object(value);
#endif
}

inline std::string to_string(const object& text, const char* substitute) {
  const object bytes(text ? PyUnicode_AsEncodedString(text.get(), "utf-8", "backslashreplace") : nullptr);
  if (bytes) return {PyBytes_AS_STRING(bytes.get()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get()))};
  PyErr_Clear();
  return substitute;
}

inline std::string type_of(const object& exception) {
  auto* const type = reinterpret_cast<PyObject*>(Py_TYPE(exception.get()));
  return to_string(object(get_attribute(type, "__name__")), "<type.__name__ failed>");
}

inline std::string message_of(const object& exception) {
  return to_string(object(PyObject_Str(exception.get())), "<exception str() failed>");
}

inline object format_exception(const object& exception) {
  const object module(PyImport_ImportModule("traceback"));
  if (!module) return {};
  const object traceback(PyException_GetTraceback(exception.get()));
  auto* const type = reinterpret_cast<PyObject*>(Py_TYPE(exception.get()));
  const object lines(
      call_method(module.get(), "format_exception", type, exception.get(), traceback ? traceback.get() : Py_None));
  const object empty(lines ? PyUnicode_FromString("") : nullptr);
  return object(empty ? PyUnicode_Join(empty.get(), lines.get()) : nullptr);
}

inline error take_error() {
  const object exception = take_exception();
  return {type_of(exception), message_of(exception),
          to_string(format_exception(exception), "<traceback.format_exception() failed>\n")};
}

// Owns the result of a call of Python's API, or throws the exception that it left.
inline object checked(PyObject* result) {
  if (!result) throw take_error();
  return object(result);
}

inline error gone() {
  return {"RuntimeError", "the Python interpreter is gone"};
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_EXCEPTION_HPP
