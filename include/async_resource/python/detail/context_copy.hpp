// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_CONTEXT_COPY_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_CONTEXT_COPY_HPP

#include <async_resource/python/detail/python.hpp>

#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/object.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// As long as it lives, context variables are set in a copy of this thread's context. The GIL is held.
class context_copy {
 public:
  context_copy() : context_(checked(PyContext_CopyCurrent())) {
    if (PyContext_Enter(context_.get()) != 0) throw take_error();
  }
  context_copy(const context_copy&) = delete;
  context_copy& operator=(const context_copy&) = delete;
  ~context_copy() {
    if (PyContext_Exit(context_.get()) != 0) PyErr_Clear();
  }

 private:
  object context_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_CONTEXT_COPY_HPP
