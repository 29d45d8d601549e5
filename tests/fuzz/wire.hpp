// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_WIRE_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_WIRE_HPP

#include <algorithm>
#include <asio/any_completion_handler.hpp>
#include <asio/append.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/socket_base.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "script.hpp"

namespace fuzzing {

/// A read or a write that a stream was asked for and that has not happened yet.
template <class Buffer>
class pending {
 public:
  using executor_type = asio::io_context::executor_type;
  using handler = asio::any_completion_handler<void(std::error_code, std::size_t)>;

  explicit operator bool() const { return static_cast<bool>(handler_); }
  const std::vector<Buffer>& buffers() const { return buffers_; }

  template <class BufferSequence>
  void start(const executor_type& executor, handler completion, const BufferSequence& buffers) {
    check(!handler_, "there is one read, and one write, at a time");
    buffers_.assign(asio::buffer_sequence_begin(buffers), asio::buffer_sequence_end(buffers));
    handler_ = std::move(completion);
    work_.emplace(executor);
    ++number_;
    if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
      slot.assign([this, number = number_](asio::cancellation_type) { cancel(number); });
  }

  void complete(std::error_code error, std::size_t size) {
    if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected()) slot.clear();
    asio::post(work_->get_executor(), asio::append(std::exchange(handler_, nullptr), error, size));
    work_.reset();
  }

  void cancel() {
    if (handler_) complete(asio::error::operation_aborted, 0);
  }

  /// Destroy the handler, as a context does that is destroyed.
  void abandon() {
    handler_ = nullptr;
    work_.reset();
  }

 private:
  void cancel(std::size_t number) {
    if (number == number_) cancel();
  }

  handler handler_;
  std::optional<asio::executor_work_guard<executor_type>> work_;
  std::vector<Buffer> buffers_;
  std::size_t number_ = 0;
};

/// The server's end of a connection without a network: what is asked of it happens when the test says so.
class wire {
 public:
  using executor_type = asio::io_context::executor_type;
  using lowest_layer_type = wire;

  wire(executor_type executor, std::span<const std::byte> input) : executor_(std::move(executor)), input_(input) {}
  wire(const wire&) = delete;
  wire& operator=(const wire&) = delete;

  // What a server does with its socket.

  executor_type get_executor() const noexcept { return executor_; }
  wire& lowest_layer() noexcept { return *this; }

  template <class MutableBufferSequence, class Token>
  auto async_read_some(const MutableBufferSequence& buffers, Token&& token) {
    return initiate(read_, buffers, token);
  }

  template <class ConstBufferSequence, class Token>
  auto async_write_some(const ConstBufferSequence& buffers, Token&& token) {
    return initiate(write_, buffers, token);
  }

  bool non_blocking() const { return true; }

  std::size_t write_some(const asio::const_buffer& buffer, std::error_code& error) {
    check(!writing(), "there is one write at a time");
    const std::size_t size = std::min(room_to_write_, buffer.size());
    error = closed_ ? std::error_code(asio::error::bad_descriptor) : write_error_;
    if (!error && size == 0) error = asio::error::would_block;
    if (error) return 0;
    room_to_write_ -= size;
    return write(buffer, size);
  }

  void cancel(std::error_code& error) {
    error = {};
    read_.cancel();
    write_.cancel();
  }

  void close(std::error_code& error) {
    closed_ = true;
    cancel(error);
  }

  void shutdown(asio::socket_base::shutdown_type, std::error_code& error) {
    shut_ = true;
    error = {};
  }

  std::size_t available(std::error_code& error) const {
    error = {};
    return unread().size();
  }

  // What the test lets happen.

  bool reading() const { return static_cast<bool>(read_); }
  bool writing() const { return static_cast<bool>(write_); }
  std::size_t room() const { return asio::buffer_size(read_.buffers()); }

  std::span<const std::byte> delivered() const { return input_.first(position_); }
  const std::vector<std::byte>& written() const { return written_; }
  bool closed() const { return closed_; }
  bool shut() const { return shut_; }

  /// The end of the stream, once all has been delivered.
  void deliver(std::size_t at_most) {
    const auto next = asio::buffer(unread().data(), std::min(at_most, unread().size()));
    if (next.size() == 0) return read_.complete(asio::error::eof, 0);
    const std::size_t size = asio::buffer_copy(read_.buffers(), next);
    position_ += size;
    read_.complete({}, size);
  }

  /// Let a write that waits go on; where none does, the next ones take so many bytes at once.
  void accept(std::size_t at_most) {
    if (!writing()) {
      room_to_write_ = at_most;
      return;
    }
    write_.complete({}, write(write_.buffers(), at_most));
  }

  void fail_read(std::error_code error) { read_.complete(error, 0); }
  /// The same.
  void fail_write(std::error_code error) {
    if (writing())
      write_.complete(error, 0);
    else
      write_error_ = error;
  }

  void abandon() {
    read_.abandon();
    write_.abandon();
  }

 private:
  std::span<const std::byte> unread() const { return input_.subspan(position_); }

  template <class ConstBufferSequence>
  std::size_t write(const ConstBufferSequence& buffers, std::size_t at_most) {
    const std::size_t before = written_.size();
    const std::size_t size = std::min(at_most, asio::buffer_size(buffers));
    written_.resize(before + size);
    return asio::buffer_copy(asio::buffer(written_) + before, buffers);
  }

  template <class Buffer, class BufferSequence, class Token>
  auto initiate(pending<Buffer>& operation, const BufferSequence& buffers, Token& token) {
    return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
        [this](auto handler, auto* started, const BufferSequence& sequence) {
          started->start(executor_, std::move(handler), sequence);
          if (closed_) started->complete(asio::error::bad_descriptor, 0);
        },
        token, &operation, buffers);
  }

  executor_type executor_;
  std::span<const std::byte> input_;
  std::size_t position_ = 0;
  std::vector<std::byte> written_;
  std::size_t room_to_write_ = 0;  // at once
  std::error_code write_error_;    // of writing at once
  bool closed_ = false;
  bool shut_ = false;
  pending<asio::mutable_buffer> read_;
  pending<asio::const_buffer> write_;
};

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_WIRE_HPP
