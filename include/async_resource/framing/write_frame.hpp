// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_WRITE_FRAME_HPP
#define ASYNC_RESOURCE_FRAMING_WRITE_FRAME_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/error.hpp>
#include <async_resource/framing/concepts.hpp>
#include <async_resource/framing/detail/frame_buffers.hpp>
#include <async_resource/framing/detail/operation.hpp>
#include <async_resource/framing/length_prefix.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

namespace detail {

template <class Prefix, class Stream, class ConstBufferSequence>
constexpr void check_write_frame() noexcept {
  static_assert(frame_prefix<Prefix>,
                "async_write_frame<Prefix>: give a prefix, such as length_prefix<std::uint32_t>, not an integer type.");
  static_assert(async_write_stream<Stream>,
                "async_write_frame writes to an AsyncWriteStream: pass the socket or stream itself.");
  static_assert(const_buffer_sequence<ConstBufferSequence>,
                "async_write_frame sends a ConstBufferSequence: wrap the payload in asio::buffer().");
}

// The size of the payload, unless it is above the limit. Never adds up more than the limit, hence cannot overflow.
template <class ConstBufferSequence>
std::optional<std::size_t> size_within(std::size_t limit, const ConstBufferSequence& buffers) {
  std::size_t size = 0;
  const auto end = asio::buffer_sequence_end(buffers);
  for (auto it = asio::buffer_sequence_begin(buffers); it != end; ++it) {
    const asio::const_buffer buffer(*it);
    if (buffer.size() > limit - size) return std::nullopt;
    size += buffer.size();
  }
  return size;
}

// Writes prefix and payload together.
template <class Prefix, class Stream, class ConstBufferSequence>
class write_frame_op {
 public:
  write_frame_op(Stream& stream, const ConstBufferSequence& payload, std::size_t limit)
      : stream_(stream),
        payload_(payload),
        limit_(static_cast<std::size_t>(std::min<std::uintmax_t>(limit, Prefix::max))) {}

  template <class Self>
  void operator()(Self& self) {
    const auto size = size_within(limit_, payload_);
    if (!size) return complete_immediately(self, errc::frame_too_large);
    prefix_ = allocate_prefix<Prefix>(self);
    *prefix_ = Prefix::encode(static_cast<typename Prefix::length_type>(*size));
    const frame_buffers frame(asio::buffer(*prefix_), payload_);
    // transfer_all spelled out: with a default token, three arguments are ambiguous.
    asio::async_write(stream_, frame, asio::transfer_all(), std::move(self));
  }

  template <class Self>
  void operator()(Self& self, std::error_code error, std::size_t bytes) {
    prefix_ = nullptr;
    self.complete(error, error ? 0 : bytes - Prefix::size);
  }

 private:
  Stream& stream_;
  ConstBufferSequence payload_;
  std::size_t limit_;
  stable_prefix<Prefix> prefix_;
};

}  // namespace detail

/// Write one frame: the prefix for `payload`, then `payload`.
/**
 * Initiating function: returns at once. The operation completes when:
 * @li the whole frame has been written;
 * @li `payload` is longer than `limit`, or than the prefix can announce: nothing is written;
 * @li an error occurred.
 *
 * It is composed of calls to the stream's `async_write_some`, prefix and payload being handed over as one sequence of
 * buffers: they leave in one gather write where the stream takes them so. Until it completes no other operation may
 * write to the stream. After any error but `errc::frame_too_large` the stream is to be closed: a part of the frame may
 * have been written.
 *
 * @param stream  An AsyncWriteStream. Must stay valid until the operation completes.
 * @param payload A ConstBufferSequence. Copied; the bytes it refers to must stay valid until the operation completes.
 * @param limit   The longest payload to send; by default `default_limit<Prefix>`, at most 1 MiB.
 * @param token   The completion token; by default that of the stream's executor, else `asio::deferred`.
 *
 * @par Completion Signature       void(std::error_code, std::size_t payload), the length of the payload, 0 on error.
 * @par Executor                   The handler's associated executor, else the stream's. A refused payload completes
 *                                 through the associated immediate executor.
 * @par Per-Operation Cancellation terminal, as far as the stream supports it; a part of the frame may have been
 * written.
 * @par Errors                     errc::frame_too_large; asio::error::operation_aborted; those of the stream.
 * @par Object Lifetimes           `stream` and the bytes of `payload` are referred to, not copied.
 * @par Thread Safety              The stream's: concurrent operations on one stream need a strand, implicit or
 * explicit.
 * @par Exceptions                 What copying `payload` or allocating may throw. The associated allocator is used.
 * @par Example
 * @code
 * co_await async_write_frame<length_prefix<std::uint32_t>>(socket, asio::buffer(reply), asio::use_awaitable);
 * @endcode
 */
template <class Prefix = length_prefix<>, class Stream, class ConstBufferSequence,
          detail::frame_token Token = detail::default_token_t<Stream>>
auto async_write_frame(Stream& stream, const ConstBufferSequence& payload, std::size_t limit, Token&& token = Token()) {
  detail::check_write_frame<Prefix, Stream, ConstBufferSequence>();
  return asio::async_compose<Token, detail::signature>(
      detail::write_frame_op<Prefix, Stream, ConstBufferSequence>(stream, payload, limit), token, stream);
}

/// Write one frame of at most `default_limit<Prefix>` bytes.
/**
 * As above in all else.
 */
template <class Prefix = length_prefix<>, class Stream, class ConstBufferSequence,
          detail::frame_token Token = detail::default_token_t<Stream>>
auto async_write_frame(Stream& stream, const ConstBufferSequence& payload, Token&& token = Token()) {
  detail::check_write_frame<Prefix, Stream, ConstBufferSequence>();
  return framing::async_write_frame<Prefix>(stream, payload, default_limit<Prefix>, std::forward<Token>(token));
}

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_WRITE_FRAME_HPP
