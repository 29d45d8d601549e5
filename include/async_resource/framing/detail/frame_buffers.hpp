// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_DETAIL_FRAME_BUFFERS_HPP
#define ASYNC_RESOURCE_FRAMING_DETAIL_FRAME_BUFFERS_HPP

#include <cstddef>
#include <iterator>
#include <utility>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {
namespace detail {

// A ConstBufferSequence of the prefix and then the buffers of the payload, so that one gather write sends both.
template <class ConstBufferSequence>
class frame_buffers {
 public:
  class const_iterator;
  using value_type = asio::const_buffer;

  frame_buffers(asio::const_buffer prefix, const ConstBufferSequence& payload) : prefix_(prefix), payload_(payload) {}

  const_iterator begin() const { return {*this, asio::buffer_sequence_begin(payload_), true}; }
  const_iterator end() const { return {*this, asio::buffer_sequence_end(payload_), false}; }

 private:
  asio::const_buffer prefix_;
  ConstBufferSequence payload_;
};

template <class ConstBufferSequence>
class frame_buffers<ConstBufferSequence>::const_iterator {
  using payload_iterator = decltype(asio::buffer_sequence_begin(std::declval<const ConstBufferSequence&>()));

 public:
  using iterator_category = std::bidirectional_iterator_tag;
  using value_type = asio::const_buffer;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = asio::const_buffer;

  const_iterator() = default;

  const_iterator(const frame_buffers& frame, payload_iterator payload, bool at_prefix)
      : frame_(&frame), payload_(payload), at_prefix_(at_prefix) {}

  asio::const_buffer operator*() const { return at_prefix_ ? frame_->prefix_ : asio::const_buffer(*payload_); }

  const_iterator& operator++() {
    if (!std::exchange(at_prefix_, false)) ++payload_;
    return *this;
  }

  const_iterator& operator--() {
    at_prefix_ = payload_ == asio::buffer_sequence_begin(frame_->payload_);
    if (!at_prefix_) --payload_;
    return *this;
  }

  const_iterator operator++(int) { return std::exchange(*this, std::next(*this)); }
  const_iterator operator--(int) { return std::exchange(*this, std::prev(*this)); }

  friend bool operator==(const const_iterator& left, const const_iterator& right) {
    return left.at_prefix_ == right.at_prefix_ && left.payload_ == right.payload_;
  }

 private:
  const frame_buffers* frame_ = nullptr;
  payload_iterator payload_{};  // while at the prefix: the first
  bool at_prefix_ = false;
};

}  // namespace detail
}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_DETAIL_FRAME_BUFFERS_HPP
