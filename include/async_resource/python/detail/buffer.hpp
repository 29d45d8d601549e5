// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_BUFFER_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_BUFFER_HPP

#include <async_resource/python/detail/python.hpp>

#include <cstddef>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/gil.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

inline object to_bytes(asio::const_buffer bytes) {
  return checked(
      PyBytes_FromStringAndSize(static_cast<const char*>(bytes.data()), static_cast<Py_ssize_t>(bytes.size())));
}

// The bytes of an object that has the buffer protocol, where they lie. The GIL is needed, but to move it.
class buffer {
 public:
  // Throws TypeError for what is not bytes-like, and BufferError for what does not lie in one piece.
  explicit buffer(object exporter) {
    if (PyBytes_CheckExact(exporter.get())) {  // what its type would do, without asking it
      view_.buf = PyBytes_AS_STRING(exporter.get());
      view_.len = PyBytes_GET_SIZE(exporter.get());
      view_.obj = exporter.release();
      return;
    }
    if (!PyObject_CheckBuffer(exporter.get())) {
      PyErr_Format(PyExc_TypeError, "expected bytes from the callable, got %.200s", Py_TYPE(exporter.get())->tp_name);
      throw take_error();
    }
    if (PyObject_GetBuffer(exporter.get(), &view_, PyBUF_SIMPLE) != 0) throw take_error();
  }

  buffer(buffer&& other) noexcept : view_(other.release()) {}
  buffer& operator=(buffer&& other) noexcept {
    const buffer old(std::move(*this));
    view_ = other.release();
    return *this;
  }
  ~buffer() {
    if (view_.obj) PyBuffer_Release(&view_);
  }

  // Leave it alone from here on.
  Py_buffer release() noexcept { return std::exchange(view_, Py_buffer{}); }

  asio::const_buffer bytes() const noexcept { return {view_.buf, static_cast<std::size_t>(view_.len)}; }

 private:
  Py_buffer view_{};
};

// The same, dropped by any thread, with the GIL or without, as `held` is.
class held_buffer {
 public:
  held_buffer(interpreter_pointer python, buffer&& bytes) noexcept
      : python_(std::move(python)), bytes_(std::move(bytes)) {}
  held_buffer(const held_buffer&) = delete;
  held_buffer& operator=(const held_buffer&) = delete;

  ~held_buffer() {
    const gil lock(python_);
    if (!lock) {
      bytes_.release();
      return;
    }
    const buffer dropped(std::move(bytes_));
  }

 private:
  interpreter_pointer python_;
  buffer bytes_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_BUFFER_HPP
