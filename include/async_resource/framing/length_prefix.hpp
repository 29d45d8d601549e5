// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_LENGTH_PREFIX_HPP
#define ASYNC_RESOURCE_FRAMING_LENGTH_PREFIX_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace asyncres {
inline namespace v0 {
namespace framing {

/// What stands in front of each payload: its length in bytes, as an unsigned integer of fixed size and byte order.
/**
 * The default, 16 bits in network byte order, is the framing of DNS over TCP.
 */
template <std::unsigned_integral Length = std::uint16_t, std::endian Order = std::endian::big>
  requires(!std::same_as<Length, bool> && (Order == std::endian::big || Order == std::endian::little))
struct length_prefix {
  using length_type = Length;

  /// The number of bytes the prefix itself takes.
  static constexpr std::size_t size = sizeof(Length);

  /// The longest payload the prefix can announce.
  static constexpr Length max = std::numeric_limits<Length>::max();

  static constexpr std::array<std::byte, size> encode(Length length) noexcept {
    std::array<std::byte, size> bytes{};
    for (std::size_t i = 0; i != size; ++i) bytes[i] = static_cast<std::byte>(length >> shift(i));
    return bytes;
  }

  static constexpr Length decode(std::span<const std::byte, size> bytes) noexcept {
    Length length = 0;
    for (std::size_t i = 0; i != size; ++i)
      length = static_cast<Length>(length | std::to_integer<Length>(bytes[i]) << shift(i));
    return length;
  }

 private:
  static constexpr std::size_t shift(std::size_t index) noexcept {
    return 8 * (Order == std::endian::big ? size - 1 - index : index);
  }
};

/// `Prefix` encodes and decodes lengths, in the way of `length_prefix`.
template <class Prefix>
concept frame_prefix = requires(std::array<std::byte, Prefix::size> bytes, typename Prefix::length_type length) {
  requires std::unsigned_integral<typename Prefix::length_type>;
  { Prefix::max } -> std::convertible_to<typename Prefix::length_type>;
  { Prefix::encode(length) } -> std::same_as<std::array<std::byte, Prefix::size>>;
  { Prefix::decode(bytes) } -> std::same_as<typename Prefix::length_type>;
};

/// The longest payload accepted where the caller gives no limit: what the prefix can announce, but at most 1 MiB.
template <frame_prefix Prefix>
inline constexpr std::size_t default_limit =
    static_cast<std::size_t>(std::min<std::uintmax_t>(Prefix::max, std::uintmax_t{1} << 20));

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_LENGTH_PREFIX_HPP
