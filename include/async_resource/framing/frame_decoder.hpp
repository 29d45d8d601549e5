// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_FRAME_DECODER_HPP
#define ASYNC_RESOURCE_FRAMING_FRAME_DECODER_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include <async_resource/error.hpp>
#include <async_resource/framing/length_prefix.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

/// Cuts a stream of bytes into frames, without doing any I/O: it is fed bytes and yields payloads.
/**
 *     between frames --> in the prefix --> in the payload
 *           ^                  |                  |
 *           |                  +--> too large     |    when the length is above the limit; for good
 *           +--------- next() yields it ----------+
 *
 * Bytes may come in pieces of any size. A payload that lies whole in the bytes at hand is not copied; any other is
 * collected in memory reserved for exactly its length, which is reused. Nothing is reserved before the length has
 * passed the limit and a byte of the payload is there.
 *
 * @par Example
 * @code
 * while (auto payload = decoder.next(input)) serve(*payload);
 * if (auto error = decoder.error()) return error;
 * @endcode
 *
 * @par Thread Safety   Distinct objects: safe. Shared objects: unsafe.
 */
template <class Prefix = length_prefix<>>
class frame_decoder {
  static_assert(frame_prefix<Prefix>, "frame_decoder<Prefix> takes a prefix, such as length_prefix<std::uint32_t>.");

 public:
  using prefix_type = Prefix;

  constexpr frame_decoder() noexcept = default;

  /// Accept payloads of at most `limit` bytes.
  explicit constexpr frame_decoder(std::size_t limit) noexcept : limit_(limit) {}

  /// Take bytes off the front of `input`, up to the end of the next frame.
  /**
   * @returns The payload, valid until the next call and while the bytes of `input` are; or nothing, if a frame is too
   * large or else `input` has been used up.
   *
   * @throws std::bad_alloc, std::length_error No room for the payload. No byte of it has been taken: the call may be
   * repeated.
   */
  constexpr std::optional<std::span<const std::byte>> next(std::span<const std::byte>& input) {
    if (prefix_size_ == 0) collected_.clear();
    if (!take_prefix(input) || too_large()) return std::nullopt;
    return take_payload(input);
  }

  /// Success, or `errc::frame_too_large`: out of step for good.
  std::error_code error() const noexcept { return too_large() ? errc::frame_too_large : std::error_code{}; }

  /// What an end of the stream means here: success between frames, `errc::frame_truncated` inside one, or `error()`.
  std::error_code finish() const noexcept { return prefix_size_ == 0 || too_large() ? error() : errc::frame_truncated; }

  constexpr std::size_t limit() const noexcept { return limit_; }

 private:
  constexpr bool prefix_complete() const noexcept { return prefix_size_ == Prefix::size; }

  constexpr bool too_large() const noexcept { return prefix_complete() && Prefix::decode(prefix_) > limit_; }

  constexpr bool take_prefix(std::span<const std::byte>& input) noexcept {
    const auto bytes = take(input, Prefix::size - prefix_size_);
    std::ranges::copy(bytes, prefix_.begin() + static_cast<std::ptrdiff_t>(prefix_size_));
    prefix_size_ += bytes.size();
    return prefix_complete();
  }

  constexpr std::optional<std::span<const std::byte>> take_payload(std::span<const std::byte>& input) {
    const auto length = static_cast<std::size_t>(Prefix::decode(prefix_));
    std::span<const std::byte> payload;
    if (collected_.empty() && input.size() >= length) {
      payload = take(input, length);
    } else {
      collect(input, length);
      if (collected_.size() < length) return std::nullopt;
      payload = collected_;
    }
    prefix_size_ = 0;
    return payload;
  }

  constexpr void collect(std::span<const std::byte>& input, std::size_t length) {
    if (input.empty()) return;
    collected_.reserve(length);
    const auto bytes = take(input, length - collected_.size());
    collected_.insert(collected_.end(), bytes.begin(), bytes.end());
  }

  static constexpr std::span<const std::byte> take(std::span<const std::byte>& input, std::size_t at_most) noexcept {
    const auto bytes = input.first(std::min(at_most, input.size()));
    input = input.subspan(bytes.size());
    return bytes;
  }

  std::size_t limit_ = default_limit<Prefix>;
  std::size_t prefix_size_ = 0;  // bytes of the prefix seen; 0 between frames
  std::array<std::byte, Prefix::size> prefix_{};
  std::vector<std::byte> collected_;  // between frames, the payload yielded last
};

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_FRAME_DECODER_HPP
