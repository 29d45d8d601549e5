// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_FRAME_READER_HPP
#define ASYNC_RESOURCE_FRAMING_FRAME_READER_HPP

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/error.hpp>
#include <async_resource/framing/concepts.hpp>
#include <async_resource/framing/detail/operation.hpp>
#include <async_resource/framing/detail/read_ahead.hpp>
#include <async_resource/framing/frames.hpp>
#include <async_resource/framing/length_prefix.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

/// The bounds of a frame_reader.
template <class Prefix = length_prefix<>>
struct frame_reader_options {
  std::size_t limit = default_limit<Prefix>;  ///< the longest payload to accept, in bytes
  std::size_t buffer_size = 16 * 1024;        ///< how much is read at once, in bytes; a longer frame makes it grow
  std::size_t max_frames = 64;                ///< how many frames are yielded at once; at least 1
};

namespace detail {

template <class Prefix>
using frames_signature = void(std::error_code, frames<Prefix>);

template <class Token, class Prefix>
concept frames_token = asio::completion_token_for<Token, frames_signature<Prefix>>;

// Looks, and reads as long as it finds no whole frame.
template <class Stream, class Prefix>
class read_frames_op {
 public:
  read_frames_op(Stream& stream, read_ahead<Prefix>& buffer, std::size_t max_frames) noexcept
      : stream_(stream), buffer_(buffer), max_frames_(max_frames) {}

  template <class Self>
  void operator()(Self& self) {
    // Bytes that have been read stay in the buffer: whatever the stream can do without side effects, so can this.
    self.reset_cancellation_state(asio::enable_total_cancellation());
    const auto found = buffer_.take(max_frames_);
    if (!found.empty()) return complete_immediately(self, {}, found);
    if (const auto error = buffer_.error()) return complete_immediately(self, error, found);
    if (const auto error = read(self)) complete_immediately(self, error, found);
  }

  template <class Self>
  void operator()(Self& self, std::error_code error, std::size_t bytes) {
    buffer_.commit(bytes);
    const auto found = buffer_.take(max_frames_);
    if (!found.empty()) return self.complete({}, found);
    if (const auto wrong = buffer_.error()) error = wrong;
    if (!error && self.cancelled() != asio::cancellation_type::none) error = asio::error::operation_aborted;
    if (!error) error = read(self);
    if (error) self.complete(at_end(error), found);
  }

  template <class Self>
  void operator()(Self& self, std::error_code error, frames<Prefix> found) {
    self.complete(error, found);
  }

 private:
  // An error if there is no room, and else `self` has been moved.
  template <class Self>
  std::error_code read(Self& self) {
    asio::mutable_buffer room;
    try {
      room = buffer_.room();
    } catch (const std::bad_alloc&) {
      return std::make_error_code(std::errc::not_enough_memory);
    }
    stream_.async_read_some(room, std::move(self));
    return {};
  }

  std::error_code at_end(std::error_code error) const noexcept {
    return error == asio::error::eof && !buffer_.empty() ? errc::frame_truncated : error;
  }

  Stream& stream_;
  read_ahead<Prefix>& buffer_;
  std::size_t max_frames_;
};

}  // namespace detail

/// Reads many frames at once: what has arrived together is yielded together.
/**
 * Where async_read_frame asks the stream twice for each frame, a frame_reader takes what is there in one read, and
 * yields all frames in it that are whole. It reads ahead: nothing else may read from the stream.
 *
 * Its memory is bounded: one buffer of `buffer_size` bytes, allocated by the constructor. A frame that does not fit
 * makes it grow as the bytes arrive, to the size of that frame at most, hence to `limit` and a prefix; it stays as
 * large.
 *
 * Back-pressure is the caller's: until the next call nothing is read, and the sender is held back by the stream.
 *
 * @par Thread Safety   Distinct objects: safe. Shared objects: unsafe.
 * @par Object Lifetime The stream must outlive it. It may be moved at any time, and destroyed, or assigned to, while no
 *                      operation is under way. Moved from, it may only be destroyed or assigned to.
 * @par Example         @snippet 2_servers/echo_server.cpp session
 */
template <class Stream, class Prefix = length_prefix<>>
class frame_reader {
  static_assert(async_read_stream<Stream>,
                "frame_reader reads from an AsyncReadStream: give the type of the socket or stream itself.");
  static_assert(frame_prefix<Prefix>,
                "frame_reader<Stream, Prefix> takes a prefix, such as length_prefix<std::uint32_t>.");

 public:
  using stream_type = Stream;
  using executor_type = typename Stream::executor_type;
  using prefix_type = Prefix;
  using options_type = frame_reader_options<Prefix>;

  /// Throws std::bad_alloc.
  explicit frame_reader(Stream& stream, options_type options = {})
      : stream_(&stream),
        buffer_(std::make_unique<buffer_type>(options.limit, options.buffer_size)),
        max_frames_(std::max<std::size_t>(options.max_frames, 1)) {}

  executor_type get_executor() const noexcept { return stream_->get_executor(); }
  Stream& stream() const noexcept { return *stream_; }
  std::size_t limit() const noexcept { return buffer_->limit(); }

  /// Whether no byte of a frame that has not been yielded is at hand.
  bool between_frames() const noexcept { return buffer_->empty(); }

  /// Read until a whole frame is there, and yield all that are.
  /**
   * Initiating function: returns at once. The operation completes when:
   * @li a whole frame is at hand: it is yielded with those behind it that are whole, at most `max_frames`. The others
   *     are left to the next call, which then completes without reading;
   * @li the next frame announces more than `limit` bytes: for good;
   * @li an error occurred, the end of the stream included.
   *
   * An error is told when all frames before it have been yielded. Until the operation completes no other may read from
   * the stream.
   *
   * @param token The completion token; by default that of the stream's executor, else `asio::deferred`.
   *
   * @par Completion Signature       void(std::error_code, frames<Prefix>), one frame at least, none on error. The
   *                                 payloads stay valid until the next call.
   * @par Executor                   The handler's associated executor, else the stream's. What needs no reading
   *                                 completes through the associated immediate executor.
   * @par Per-Operation Cancellation terminal, partial, total, as far as the stream supports them. Nothing is lost: the
   *                                 call may be repeated.
   * @par Errors                     asio::error::eof at the end of the stream between frames; errc::frame_truncated
   *                                 inside a frame, its prefix included; errc::frame_too_large;
   *                                 std::errc::not_enough_memory, after which the call may be repeated;
   *                                 asio::error::operation_aborted; those of the stream.
   * @par Exceptions                 What allocating may throw. The associated allocator is used.
   */
  template <detail::frames_token<Prefix> Token = detail::default_token_t<Stream>>
  auto async_read_frames(Token&& token = Token()) {
    return asio::async_compose<Token, detail::frames_signature<Prefix>>(
        detail::read_frames_op<Stream, Prefix>(*stream_, *buffer_, max_frames_), token, *stream_);
  }

 private:
  using buffer_type = detail::read_ahead<Prefix>;

  Stream* stream_;
  std::unique_ptr<buffer_type> buffer_;
  std::size_t max_frames_;
};

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_FRAME_READER_HPP
