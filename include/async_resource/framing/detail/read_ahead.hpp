// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_DETAIL_READ_AHEAD_HPP
#define ASYNC_RESOURCE_FRAMING_DETAIL_READ_AHEAD_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/error.hpp>
#include <async_resource/framing/frames.hpp>
#include <async_resource/framing/length_prefix.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

namespace detail {

// The bytes that a stream has given and that nobody has used yet.
//
//     |  lent  |  whole frames  |  begun  |      room      |
//     0      begin_                     end_           capacity_
//
// take() lends whole frames; they stay where they are until room() is asked for. room() moves what is left to the
// front, and doubles the buffer where a frame does not fit: never beyond that frame, and never to more than twice what
// has arrived of it, so that a length alone reserves nothing.
template <class Prefix>
class read_ahead {
 public:
  read_ahead(std::size_t limit, std::size_t capacity)
      : limit_(std::min(limit, longest)),
        capacity_(std::max(capacity, Prefix::size)),
        bytes_(std::make_unique_for_overwrite<std::byte[]>(capacity_)) {}

  std::size_t limit() const noexcept { return limit_; }
  bool empty() const noexcept { return begin_ == end_; }

  // What has arrived whole, at most `max` frames.
  frames<Prefix> take(std::size_t max) noexcept {
    std::size_t count = 0, size = 0;
    while (count != max && whole(size)) {
      size += Prefix::size + length(size);
      ++count;
    }
    const std::span<const std::byte> lent(bytes_.get() + begin_, size);
    begin_ += size;
    return {lent, count};
  }

  // What is wrong with the frame that comes next.
  std::error_code error() const noexcept { return oversize(0) ? errc::frame_too_large : std::error_code{}; }

  // Throws std::bad_alloc, and has then changed nothing that matters.
  asio::mutable_buffer room() {
    if (begin_ != 0) move_to_front();
    if (end_ == capacity_) grow();
    return asio::buffer(bytes_.get() + end_, capacity_ - end_);
  }

  void commit(std::size_t bytes) noexcept { end_ += bytes; }

 private:
  std::size_t available(std::size_t offset) const noexcept { return end_ - begin_ - offset; }

  // Of the frame at `offset`, whose prefix is there.
  typename Prefix::length_type announced(std::size_t offset) const noexcept {
    return Prefix::decode(std::span<const std::byte, Prefix::size>(bytes_.get() + begin_ + offset, Prefix::size));
  }

  std::size_t length(std::size_t offset) const noexcept { return static_cast<std::size_t>(announced(offset)); }

  bool oversize(std::size_t offset) const noexcept {
    return available(offset) >= Prefix::size && announced(offset) > limit_;
  }

  bool whole(std::size_t offset) const noexcept {
    return available(offset) >= Prefix::size && !oversize(offset) && available(offset) - Prefix::size >= length(offset);
  }

  void move_to_front() noexcept {
    std::memmove(bytes_.get(), bytes_.get() + begin_, available(0));
    end_ -= std::exchange(begin_, 0);
  }

  // The buffer is full of a single frame, begun and within the limit.
  void grow() {
    const std::size_t capacity = std::min(2 * capacity_, Prefix::size + length(0));
    auto bytes = std::make_unique_for_overwrite<std::byte[]>(capacity);
    std::memcpy(bytes.get(), bytes_.get(), end_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  // So that the size of a buffer, doubled, cannot overflow.
  static constexpr std::size_t longest = static_cast<std::size_t>(PTRDIFF_MAX) - Prefix::size;

  std::size_t limit_;
  std::size_t capacity_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::unique_ptr<std::byte[]> bytes_;
};

}  // namespace detail

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_DETAIL_READ_AHEAD_HPP
