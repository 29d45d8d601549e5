// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_FRAME_WRITER_HPP
#define ASYNC_RESOURCE_FRAMING_FRAME_WRITER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <async_resource/detail/asio.hpp>
#include <async_resource/error.hpp>
#include <async_resource/framing/concepts.hpp>
#include <async_resource/framing/detail/frame_batch.hpp>
#include <async_resource/framing/detail/operation.hpp>
#include <async_resource/framing/length_prefix.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

namespace detail {

// Two batches: one leaves while the other is filled.
struct write_queue {
  frame_batch filling;
  frame_batch leaving;
  std::vector<asio::const_buffer> pieces;  // of what leaves, unless it is contiguous

  // What a flush that could not start has left behind goes first. Throws std::bad_alloc, and has then lost nothing.
  void load() {
    if (leaving.size() == 0)
      std::swap(filling, leaving);
    else
      leaving.splice(filling);
    if (!leaving.contiguous()) leaving.gather(pieces);
  }

  void unload() noexcept {
    leaving.clear();
    clear(pieces);
  }
};

struct unwritten {};

// Writes what has been added, in one async_write.
template <class Stream>
class flush_op {
 public:
  flush_op(Stream& stream, write_queue& queue) noexcept : stream_(stream), queue_(queue) {}

  template <class Self>
  void operator()(Self& self) {
    try {
      queue_.load();
    } catch (const std::bad_alloc&) {
      return complete_immediately(self, std::make_error_code(std::errc::not_enough_memory), unwritten());
    }
    if (queue_.leaving.size() == 0) return complete_immediately(self, {}, unwritten());
    write(self);
  }

  template <class Self>
  void operator()(Self& self, std::error_code error, std::size_t bytes) {
    queue_.unload();
    self.complete(error, bytes);
  }

  template <class Self>
  void operator()(Self& self, std::error_code error, unwritten) {
    self.complete(error, 0);
  }

 private:
  // transfer_all spelled out: with a default token, three arguments are ambiguous.
  template <class Self>
  void write(Self& self) {
    if (queue_.leaving.contiguous())
      asio::async_write(stream_, queue_.leaving.bytes(), asio::transfer_all(), std::move(self));
    else
      asio::async_write(stream_, std::span<const asio::const_buffer>(queue_.pieces), asio::transfer_all(),
                        std::move(self));
  }

  Stream& stream_;
  write_queue& queue_;
};

}  // namespace detail

/// Writes many frames at once: what has been added since the last flush leaves together.
/**
 * Adding is not an operation and waits for nothing; frames may be added while a flush is under way, and leave with the
 * next. What has been added takes memory until it has been written: a caller that bounds how many frames it adds, or
 * looks at size(), bounds the memory, and one that waits for each flush before it reads on passes back-pressure on.
 * Memory is reused; what a flush took beyond 64 KiB is given back when it ends.
 *
 * @par Thread Safety   Distinct objects: safe. Shared objects: unsafe.
 * @par Object Lifetime The stream must outlive it. It may be moved at any time, and destroyed, or assigned to, while no
 *                      operation is under way. Moved from, it may only be destroyed or assigned to.
 * @par Example         @snippet 2_servers/echo_server.cpp session
 */
template <class Stream, class Prefix = length_prefix<>>
class frame_writer {
  static_assert(async_write_stream<Stream>,
                "frame_writer writes to an AsyncWriteStream: give the type of the socket or stream itself.");
  static_assert(frame_prefix<Prefix>,
                "frame_writer<Stream, Prefix> takes a prefix, such as length_prefix<std::uint32_t>.");

 public:
  using stream_type = Stream;
  using executor_type = typename Stream::executor_type;
  using prefix_type = Prefix;

  /// Send payloads of at most `limit` bytes. Throws std::bad_alloc.
  explicit frame_writer(Stream& stream, std::size_t limit = default_limit<Prefix>)
      : stream_(&stream),
        limit_(static_cast<std::size_t>(std::min<std::uintmax_t>({limit, longest, Prefix::max}))),
        queue_(std::make_unique<detail::write_queue>()) {}

  executor_type get_executor() const noexcept { return stream_->get_executor(); }
  Stream& stream() const noexcept { return *stream_; }
  std::size_t limit() const noexcept { return limit_; }

  /// The bytes that have been added since the last flush, prefixes included.
  std::size_t size() const noexcept { return queue_->filling.size(); }

  /// Add a frame, copying the payload.
  /**
   * @returns Success, or `errc::frame_too_large`: nothing has been added.
   * @throws std::bad_alloc, std::length_error Nothing has been added.
   */
  [[nodiscard]] std::error_code add(asio::const_buffer payload) {
    if (payload.size() > limit_) return errc::frame_too_large;
    queue_->filling.append_copy(prefix_of(payload), payload);
    return {};
  }

  /// Add a frame, copying the payload; as frames yields it.
  [[nodiscard]] std::error_code add(std::span<const std::byte> payload) {
    return add(asio::const_buffer(payload.data(), payload.size()));
  }

  /// Add a frame whose payload is written from where it lies.
  /**
   * The bytes must stay valid until the flush that writes them completes. A short payload is copied all the same, which
   * is cheaper.
   *
   * @returns Success, or `errc::frame_too_large`: nothing has been added.
   * @throws std::bad_alloc, std::length_error Nothing has been added.
   */
  [[nodiscard]] std::error_code add_borrowed(asio::const_buffer payload) {
    if (payload.size() < worth_borrowing) return add(payload);
    if (payload.size() > limit_) return errc::frame_too_large;
    queue_->filling.append_borrowed(prefix_of(payload), payload);
    return {};
  }

  /// Add a frame whose payload is written from where it lies; as frames yields it.
  [[nodiscard]] std::error_code add_borrowed(std::span<const std::byte> payload) {
    return add_borrowed(asio::const_buffer(payload.data(), payload.size()));
  }

  /// Write what the stream takes at once of what has been added; the rest goes with the next flush.
  /**
   * One call of the stream's `write_some`: in most cases a socket takes all, and no operation is needed. Writes nothing
   * if the stream is not in non-blocking mode, if payloads are borrowed, if a flush is under way, or if one could not
   * start, whose frames go first.
   *
   * @param error Success, also where the stream takes nothing; or that of the stream, which is then to be closed.
   * @returns The bytes that were written, prefixes included; they are no part of size() any more.
   */
  std::size_t flush_some(std::error_code& error)
    requires(non_blocking_write_stream<Stream>)
  {
    error.clear();
    auto& batch = queue_->filling;
    if (batch.size() == 0 || !batch.contiguous() || queue_->leaving.size() != 0 || !stream_->non_blocking()) return 0;
    const std::size_t bytes = stream_->write_some(batch.bytes(), error);
    if (error == asio::error::would_block || error == asio::error::try_again) error.clear();
    batch.consume(bytes);
    return bytes;
  }

  /// Write what has been added.
  /**
   * Initiating function: returns at once. The operation completes when:
   * @li all that had been added when it was started has been written; if nothing had, without writing;
   * @li an error occurred: the stream is to be closed, for a part may have been written.
   *
   * It is composed of calls to the stream's `async_write_some`, all frames being handed over as one sequence of
   * buffers. Until it completes no other operation may write to the stream.
   *
   * @param token The completion token; by default that of the stream's executor, else `asio::deferred`.
   *
   * @par Completion Signature       void(std::error_code, std::size_t bytes), what was written, prefixes included.
   * @par Executor                   The handler's associated executor, else the stream's. What needs no writing
   *                                 completes through the associated immediate executor.
   * @par Per-Operation Cancellation terminal, as far as the stream supports it; a part may have been written.
   * @par Errors                     asio::error::operation_aborted; std::errc::not_enough_memory: nothing has been
   *                                 written and the call may be repeated; those of the stream.
   * @par Exceptions                 What allocating may throw: nothing has been written and the call may be repeated.
   *                                 The associated allocator is used.
   */
  template <detail::frame_token Token = detail::default_token_t<Stream>>
  auto async_flush(Token&& token = Token()) {
    return asio::async_compose<Token, detail::signature>(detail::flush_op<Stream>(*stream_, *queue_), token, *stream_);
  }

 private:
  // About where another buffer in the sequence costs what copying does.
  static constexpr std::size_t worth_borrowing = 1024;

  // So that the size of a frame cannot overflow.
  static constexpr std::size_t longest = static_cast<std::size_t>(PTRDIFF_MAX) - Prefix::size;

  static auto prefix_of(asio::const_buffer payload) noexcept {
    return Prefix::encode(static_cast<typename Prefix::length_type>(payload.size()));
  }

  Stream* stream_;
  std::size_t limit_;
  std::unique_ptr<detail::write_queue> queue_;
};

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_FRAME_WRITER_HPP
