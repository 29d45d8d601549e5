// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_HELD_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_HELD_HPP

#include <async_resource/python/detail/python.hpp>

#include <memory>
#include <utility>

#include <async_resource/python/detail/gate.hpp>
#include <async_resource/python/detail/gil.hpp>
#include <async_resource/python/detail/object.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// An object that may be moved and dropped by any thread, with the GIL or without: dropping takes it. With the
// interpreter gone the object is left alone: it stays allocated, and what it refers to stays readable.
class held {
 public:
  held() noexcept = default;
  held(std::shared_ptr<gate> gate, object object) noexcept : gate_(std::move(gate)), object_(std::move(object)) {}
  held(held&&) noexcept = default;

  held& operator=(held&& other) noexcept {
    reset();
    gate_ = std::move(other.gate_);
    object_ = std::move(other.object_);
    return *this;
  }

  ~held() { reset(); }

  void reset() noexcept {
    if (!object_) return;
    if (const gil lock(gate_); lock)
      object_ = {};
    else
      object_.release();
  }

  PyObject* get() const noexcept { return object_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(object_); }

 private:
  std::shared_ptr<gate> gate_;
  object object_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_HELD_HPP
