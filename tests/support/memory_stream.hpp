// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_MEMORY_STREAM_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_MEMORY_STREAM_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async_resource/detail/asio.hpp"

namespace testing {

/// An AsyncReadStream of given bytes, then the end; an AsyncWriteStream that remembers. At most `chunk` bytes at once.
/// Cannot be cancelled.
class memory_stream {
 public:
  using executor_type = asio::any_io_executor;

  explicit memory_stream(executor_type executor, std::string input = {}, std::size_t chunk = SIZE_MAX)
      : executor_(std::move(executor)), input_(std::move(input)), chunk_(chunk) {}

  executor_type get_executor() const noexcept { return executor_; }

  std::string_view unread() const noexcept { return std::string_view(input_).substr(position_); }
  const std::string& written() const noexcept { return written_; }

  /// How many buffers each async_write_some was given.
  const std::vector<std::size_t>& writes() const noexcept { return writes_; }

  template <class MutableBufferSequence, class Token>
  auto async_read_some(const MutableBufferSequence& buffers, Token&& token) {
    return initiate(
        [this, buffers]() -> result {
          const auto available = unread().substr(0, chunk_);
          const std::size_t bytes = asio::buffer_copy(buffers, asio::buffer(available));
          position_ += bytes;
          if (available.empty() && asio::buffer_size(buffers) != 0) return {asio::error::eof, 0};
          return {{}, bytes};
        },
        token);
  }

  template <class ConstBufferSequence, class Token>
  auto async_write_some(const ConstBufferSequence& buffers, Token&& token) {
    return initiate(
        [this, buffers]() -> result {
          const std::size_t bytes = std::min(asio::buffer_size(buffers), chunk_);
          written_.resize(written_.size() + bytes);
          asio::buffer_copy(asio::buffer(written_) + (written_.size() - bytes), buffers);
          writes_.push_back(static_cast<std::size_t>(
              std::distance(asio::buffer_sequence_begin(buffers), asio::buffer_sequence_end(buffers))));
          return {{}, bytes};
        },
        token);
  }

 private:
  using result = std::pair<std::error_code, std::size_t>;

  template <class Transfer, class Token>
  auto initiate(Transfer transfer, Token& token) {
    return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
        [executor = executor_](auto handler, auto start) {
          const auto [error, bytes] = start();
          asio::post(executor, asio::append(std::move(handler), error, bytes));
        },
        token, std::move(transfer));
  }

  executor_type executor_;
  std::string input_;
  std::size_t chunk_;
  std::size_t position_ = 0;
  std::string written_;
  std::vector<std::size_t> writes_;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_MEMORY_STREAM_HPP
