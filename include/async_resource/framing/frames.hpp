// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_FRAMES_HPP
#define ASYNC_RESOURCE_FRAMING_FRAMES_HPP

#include <cstddef>
#include <iterator>
#include <ranges>
#include <span>

#include <async_resource/framing/length_prefix.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

/// Whole frames that lie in memory one after another: a range of their payloads.
/**
 * A view, and a borrowed range: it refers to the bytes and is cheap to copy. Iterating reads one prefix a frame.
 *
 * @par Example
 * @code
 * for (std::span<const std::byte> payload : frames) serve(payload);
 * @endcode
 */
template <class Prefix = length_prefix<>>
class frames : public std::ranges::view_base {
  static_assert(frame_prefix<Prefix>, "frames<Prefix> takes a prefix, such as length_prefix<std::uint32_t>.");

 public:
  using prefix_type = Prefix;
  class iterator;

  constexpr frames() noexcept = default;

  /// @pre `bytes` are exactly `count` whole frames, prefixes included.
  constexpr frames(std::span<const std::byte> bytes, std::size_t count) noexcept : bytes_(bytes), count_(count) {}

  constexpr iterator begin() const noexcept { return iterator(bytes_.data()); }
  constexpr iterator end() const noexcept { return iterator(bytes_.data() + bytes_.size()); }

  /// How many frames.
  constexpr std::size_t size() const noexcept { return count_; }
  constexpr bool empty() const noexcept { return count_ == 0; }

  /// The frames as they stand in the stream, with their prefixes.
  constexpr std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t count_ = 0;
};

template <class Prefix>
class frames<Prefix>::iterator {
 public:
  using iterator_concept = std::forward_iterator_tag;
  using iterator_category = std::input_iterator_tag;  // a payload is made where it is asked for
  using value_type = std::span<const std::byte>;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = value_type;

  constexpr iterator() noexcept = default;

  constexpr value_type operator*() const noexcept { return {frame_ + Prefix::size, length()}; }

  constexpr iterator& operator++() noexcept {
    frame_ += Prefix::size + length();
    return *this;
  }

  constexpr iterator operator++(int) noexcept {
    const iterator before = *this;
    ++*this;
    return before;
  }

  constexpr bool operator==(const iterator&) const noexcept = default;

 private:
  friend frames;

  explicit constexpr iterator(const std::byte* frame) noexcept : frame_(frame) {}

  constexpr std::size_t length() const noexcept {
    return static_cast<std::size_t>(Prefix::decode(std::span<const std::byte, Prefix::size>(frame_, Prefix::size)));
  }

  const std::byte* frame_ = nullptr;
};

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

// Its iterators refer to the bytes, not to it.
template <class Prefix>
inline constexpr bool std::ranges::enable_borrowed_range<asyncres::framing::frames<Prefix>> = true;

#endif  // ASYNC_RESOURCE_FRAMING_FRAMES_HPP
