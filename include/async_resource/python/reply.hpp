// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_REPLY_HPP
#define ASYNC_RESOURCE_PYTHON_REPLY_HPP

#include <async_resource/python/detail/python.hpp>

#include <cstddef>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/home_ptr.hpp>
#include <async_resource/python/detail/buffer.hpp>

namespace asyncres {
inline namespace v0 {
namespace python {

/// What a Python callable returned: bytes, read where Python has them.
/**
 * Reading needs no GIL: the bytes do not move as long as this keeps their object. What was returned as `bytes` does not
 * change either; a `bytearray`, or what else can be changed, Python code must leave as it is until this is dropped.
 *
 * Dropped by any thread, the object is released at home, which is where the GIL is taken. With home gone, it is
 * released where the reply is dropped; with the interpreter gone, it is left alone. The bytes stay readable in each
 * case.
 *
 * @par Thread Safety  As that of `std::unique_ptr`.
 */
class reply {
 public:
  /// No bytes.
  reply() noexcept = default;

  reply(reply&& other) noexcept : owner_(std::move(other.owner_)), bytes_(std::exchange(other.bytes_, {})) {}

  reply& operator=(reply&& other) noexcept {
    owner_ = std::move(other.owner_);
    bytes_ = std::exchange(other.bytes_, {});
    return *this;
  }

  const char* data() const noexcept { return static_cast<const char*>(bytes_.data()); }
  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return size() == 0; }

  /// What Asio's write functions take. Valid as long as the reply, or one moved from it, lives.
  operator asio::const_buffer() const noexcept { return bytes_; }

 private:
  friend class callable;

  reply(home_ptr<detail::held_buffer> owner, asio::const_buffer bytes) noexcept
      : owner_(std::move(owner)), bytes_(bytes) {}

  home_ptr<detail::held_buffer> owner_;
  asio::const_buffer bytes_;
};

}  // namespace python
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_REPLY_HPP
