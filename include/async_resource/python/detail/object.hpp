// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_OBJECT_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_OBJECT_HPP

#include <async_resource/python/detail/python.hpp>

#include <utility>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// Owns one reference. The GIL is needed to assign to or destroy one that is not empty; to move from it, it is not.
class object {
 public:
  object() noexcept = default;
  explicit object(PyObject* owned) noexcept : pointer_(owned) {}
  object(object&& other) noexcept : pointer_(other.release()) {}

  object& operator=(object&& other) noexcept {
    object old(std::exchange(pointer_, other.release()));
    return *this;
  }

  ~object() { Py_XDECREF(pointer_); }

  static object share(PyObject* borrowed) noexcept {
    Py_XINCREF(borrowed);
    return object(borrowed);
  }

  PyObject* get() const noexcept { return pointer_; }
  PyObject* release() noexcept { return std::exchange(pointer_, nullptr); }
  explicit operator bool() const noexcept { return pointer_ != nullptr; }

 private:
  PyObject* pointer_ = nullptr;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_OBJECT_HPP
