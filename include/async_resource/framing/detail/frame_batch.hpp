// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_DETAIL_FRAME_BATCH_HPP
#define ASYNC_RESOURCE_FRAMING_DETAIL_FRAME_BATCH_HPP

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

namespace detail {

// Keeps memory for what comes, but not what was needed once and may not be again.
template <class T>
void clear(std::vector<T>& elements) noexcept {
  constexpr std::size_t kept = 64 * 1024;
  elements.clear();
  if (elements.capacity() * sizeof(T) > kept) std::vector<T>().swap(elements);
}

// Frames that wait to be written: what is copied lies in one piece, into which what is borrowed is spliced.
class frame_batch {
 public:
  std::size_t size() const noexcept { return size_; }
  bool contiguous() const noexcept { return borrowed_.empty(); }

  void clear() noexcept {
    detail::clear(copied_);
    detail::clear(borrowed_);
    size_ = 0;
  }

  // Throws std::bad_alloc or std::length_error, and has then changed nothing.
  void append_copy(std::span<const std::byte> prefix, asio::const_buffer payload) {
    make_room(prefix.size() + payload.size());
    append(prefix);
    append({static_cast<const std::byte*>(payload.data()), payload.size()});
  }

  // The same.
  void append_borrowed(std::span<const std::byte> prefix, asio::const_buffer payload) {
    make_room(prefix.size());
    borrowed_.push_back({copied_.size() + prefix.size(), payload});
    append(prefix);
    size_ += payload.size();
  }

  // Append what `other` has, and clear it. Throws std::bad_alloc, and has then changed nothing.
  void splice(frame_batch& other) {
    make_room(other.copied_.size());
    borrowed_.reserve(borrowed_.size() + other.borrowed_.size());
    for (const auto& each : other.borrowed_) borrowed_.push_back({copied_.size() + each.behind, each.payload});
    copied_.insert(copied_.end(), other.copied_.begin(), other.copied_.end());
    size_ += other.size_;
    other.clear();
  }

  asio::const_buffer bytes() const noexcept { return asio::buffer(copied_); }

  // Of one that is contiguous, forget so many bytes at the front.
  void consume(std::size_t bytes) noexcept {
    if (bytes == size_) return clear();
    copied_.erase(copied_.begin(), copied_.begin() + static_cast<std::ptrdiff_t>(bytes));
    size_ -= bytes;
  }

  // In order, what lies between the borrowed and the borrowed. Throws std::bad_alloc.
  void gather(std::vector<asio::const_buffer>& pieces) const {
    pieces.clear();
    pieces.reserve(2 * borrowed_.size() + 1);
    std::size_t done = 0;
    for (const auto& each : borrowed_) {
      pieces.push_back(asio::buffer(copied_.data() + done, each.behind - done));
      pieces.push_back(each.payload);
      done = each.behind;
    }
    if (done != copied_.size()) pieces.push_back(asio::buffer(copied_.data() + done, copied_.size() - done));
  }

 private:
  struct borrowed {
    std::size_t behind;  // so many copied bytes
    asio::const_buffer payload;
  };

  // reserve() may take what it is asked for exactly: by doubling, many appends cost one copy each.
  void make_room(std::size_t bytes) {
    const std::size_t needed = copied_.size() + bytes;
    if (needed > copied_.capacity()) copied_.reserve(std::max(needed, 2 * copied_.capacity()));
  }

  void append(std::span<const std::byte> bytes) noexcept {
    copied_.insert(copied_.end(), bytes.begin(), bytes.end());
    size_ += bytes.size();
  }

  std::vector<std::byte> copied_;
  std::vector<borrowed> borrowed_;
  std::size_t size_ = 0;
};

}  // namespace detail

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_DETAIL_FRAME_BATCH_HPP
