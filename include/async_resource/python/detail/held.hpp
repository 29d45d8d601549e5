// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_HELD_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_HELD_HPP

#include <async_resource/python/detail/python.hpp>

#include <utility>

#include <async_resource/python/detail/gil.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// An object that may be moved and dropped by any thread, with the GIL or without: dropping takes it. With the
// interpreter gone the object is left alone: it stays allocated, and what it refers to stays readable.
class held {
 public:
  held() noexcept = default;
  held(interpreter_pointer python, object object) noexcept : python_(std::move(python)), object_(std::move(object)) {}
  held(held&&) noexcept = default;

  held& operator=(held&& other) noexcept {
    reset();
    python_ = std::move(other.python_);
    object_ = std::move(other.object_);
    return *this;
  }

  ~held() { reset(); }

  void reset() noexcept {
    if (!object_) return;
    if (const gil lock(python_); lock)
      object_ = {};
    else
      object_.release();
  }

  // For whoever holds the GIL, even where the interpreter lets nobody in any more.
  object take() noexcept { return std::move(object_); }

  PyObject* get() const noexcept { return object_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(object_); }

 private:
  interpreter_pointer python_;
  object object_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_HELD_HPP
