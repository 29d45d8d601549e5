// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_READ_FRAME_HPP
#define ASYNC_RESOURCE_FRAMING_READ_FRAME_HPP

#include <cstddef>
#include <ranges>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/error.hpp>
#include <async_resource/framing/concepts.hpp>
#include <async_resource/framing/detail/operation.hpp>
#include <async_resource/framing/length_prefix.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

namespace detail {

template <class Prefix, class Stream, class Container>
constexpr void check_read_frame() noexcept {
  static_assert(frame_prefix<Prefix>,
                "async_read_frame<Prefix>: give a prefix, such as length_prefix<std::uint32_t>, not an integer type.");
  static_assert(async_read_stream<Stream>,
                "async_read_frame reads from an AsyncReadStream: pass the socket or stream itself.");
  static_assert(byte_container<Container>,
                "async_read_frame resizes what it reads into: pass a std::vector of char, unsigned char or std::byte, "
                "or a std::string.");
}

// Reads the prefix, then the payload. `prefix_` is null except while the prefix is being read.
template <class Prefix, class Stream, class Container>
class read_frame_op {
 public:
  read_frame_op(Stream& stream, Container& payload, std::size_t limit) noexcept
      : stream_(stream), payload_(payload), limit_(limit) {}

  template <class Self>
  void operator()(Self& self) {
    prefix_ = allocate_prefix<Prefix>(self);
    // transfer_all spelled out: with a default token, three arguments are ambiguous.
    asio::async_read(stream_, asio::buffer(*prefix_), asio::transfer_all(), std::move(self));
  }

  template <class Self>
  void operator()(Self& self, std::error_code error, std::size_t bytes) {
    if (prefix_)
      on_prefix(self, error, bytes);
    else
      self.complete(inside_frame(error), error ? 0 : bytes);
  }

 private:
  template <class Self>
  void on_prefix(Self& self, std::error_code error, std::size_t bytes) {
    const auto prefix = *std::exchange(prefix_, nullptr);
    if (!error && self.cancelled() != asio::cancellation_type::none) error = asio::error::operation_aborted;
    if (error) return self.complete(bytes == 0 ? error : inside_frame(error), 0);
    if (error = make_room(Prefix::decode(prefix)); error) return self.complete(error, 0);
    if (std::ranges::empty(payload_)) return self.complete({}, 0);
    const auto room = asio::buffer(std::ranges::data(payload_), std::ranges::size(payload_));
    asio::async_read(stream_, room, asio::transfer_all(), std::move(self));
  }

  std::error_code make_room(typename Prefix::length_type length) noexcept {
    if (length > limit_) return errc::frame_too_large;
    try {
      payload_.resize(static_cast<std::size_t>(length));
      return {};
    } catch (...) {
      return std::make_error_code(std::errc::not_enough_memory);
    }
  }

  static std::error_code inside_frame(std::error_code error) noexcept {
    return error == asio::error::eof ? errc::frame_truncated : error;
  }

  Stream& stream_;
  Container& payload_;
  std::size_t limit_;
  stable_prefix<Prefix> prefix_;
};

}  // namespace detail

/// Read one frame: its prefix, then its payload into `payload`.
/**
 * Initiating function: returns at once. The operation completes when:
 * @li the whole frame has been read, `payload` being resized to exactly its length;
 * @li the prefix announces more than `limit` bytes: `payload` is not touched;
 * @li an error occurred, the end of the stream included.
 *
 * It is composed of calls to the stream's `async_read_some` and never reads beyond the frame. Until it completes no
 * other operation may read from the stream. After any error but `asio::error::eof` the stream is to be closed: it may
 * be inside a frame. What `payload` then holds is unspecified, unless stated here.
 *
 * @param stream  An AsyncReadStream. Must stay valid until the operation completes.
 * @param payload A contiguous, resizable container of bytes. Must stay valid until the operation completes.
 * @param limit   The longest payload to accept; by default `default_limit<Prefix>`, at most 1 MiB.
 * @param token   The completion token; by default that of the stream's executor, else `asio::deferred`.
 *
 * @par Completion Signature       void(std::error_code, std::size_t payload), the length of the payload, 0 on error.
 * @par Executor                   The handler's associated executor, else the stream's.
 * @par Per-Operation Cancellation terminal, as far as the stream supports it; the stream may be left inside a frame.
 * @par Errors                     asio::error::eof at the end of the stream between frames; errc::frame_truncated
 *                                 inside a frame, its prefix included; errc::frame_too_large;
 *                                 std::errc::not_enough_memory if `payload.resize()` throws;
 *                                 asio::error::operation_aborted; those of the stream.
 * @par Object Lifetimes           `stream` and `payload` are referred to, not copied.
 * @par Thread Safety              The stream's: concurrent operations on one stream need a strand, implicit or
 * explicit.
 * @par Exceptions                 What allocating may throw. The associated allocator is used.
 * @par Example
 * @code
 * std::string request;
 * auto n = co_await async_read_frame<length_prefix<std::uint32_t>>(socket, request, asio::use_awaitable);
 * @endcode
 */
template <class Prefix = length_prefix<>, class Stream, class Container,
          detail::frame_token Token = detail::default_token_t<Stream>>
auto async_read_frame(Stream& stream, Container& payload, std::size_t limit, Token&& token = Token()) {
  detail::check_read_frame<Prefix, Stream, Container>();
  return asio::async_compose<Token, detail::signature>(
      detail::read_frame_op<Prefix, Stream, Container>(stream, payload, limit), token, stream);
}

/// Read one frame of at most `default_limit<Prefix>` bytes.
/**
 * As above in all else.
 */
template <class Prefix = length_prefix<>, class Stream, class Container,
          detail::frame_token Token = detail::default_token_t<Stream>>
auto async_read_frame(Stream& stream, Container& payload, Token&& token = Token()) {
  detail::check_read_frame<Prefix, Stream, Container>();
  return framing::async_read_frame<Prefix>(stream, payload, default_limit<Prefix>, std::forward<Token>(token));
}

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_READ_FRAME_HPP
