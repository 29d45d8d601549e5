// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_CANCELLED_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_CANCELLED_HPP

#include <async_resource/python/detail/python.hpp>

#include <async_resource/python/detail/attribute.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/object.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// asyncres.Cancelled, which a call that is cancelled is interrupted with; a module of the interpreter that is attached.
inline object cancelled_class() {
  PyObject* const module = PyImport_AddModule("asyncres");  // borrowed; made if need be
  if (!module) throw take_error();
  if (PyObject* const known = get_attribute(module, "Cancelled")) return object(known);
  PyErr_Clear();
  object made = checked(PyErr_NewExceptionWithDoc(
      "asyncres.Cancelled",
      "The call was cancelled by its caller. Like asyncio.CancelledError not an Exception, so that it is not caught\n"
      "by mistake; a callable that catches it and returns a reply has refused.",
      PyExc_BaseException, nullptr));
  if (PyObject_SetAttrString(module, "Cancelled", made.get()) != 0) throw take_error();
  return made;
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_CANCELLED_HPP
