// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_SCRIPTED_STREAM_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_SCRIPTED_STREAM_HPP

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async_resource/detail/asio.hpp"

namespace testing {

/// An AsyncReadStream of given pieces, one a read, then an error. Cannot be cancelled.
class scripted_stream {
 public:
  using executor_type = asio::any_io_executor;

  scripted_stream(executor_type executor, std::deque<std::string> pieces, std::error_code end = asio::error::eof)
      : executor_(std::move(executor)), pieces_(std::move(pieces)), end_(end) {}

  executor_type get_executor() const noexcept { return executor_; }

  void append(std::string piece) { pieces_.push_back(std::move(piece)); }

  /// The sizes of the buffers that each async_read_some was given.
  const std::vector<std::size_t>& reads() const noexcept { return reads_; }

  /// How many bytes had been read before each.
  const std::vector<std::size_t>& before() const noexcept { return before_; }

  template <class Token>
  auto async_read_some(asio::mutable_buffer buffer, Token&& token) {
    return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
        [executor = executor_](auto handler, auto* stream, asio::mutable_buffer room) {
          const auto [error, bytes] = stream->read(room);
          asio::post(executor, asio::append(std::move(handler), error, bytes));
        },
        token, this, buffer);
  }

 private:
  std::pair<std::error_code, std::size_t> read(asio::mutable_buffer buffer) {
    reads_.push_back(buffer.size());
    before_.push_back(read_);
    if (pieces_.empty()) return {end_, 0};
    const std::size_t bytes = asio::buffer_copy(buffer, asio::buffer(pieces_.front()));
    read_ += bytes;
    pieces_.front().erase(0, bytes);
    if (pieces_.front().empty()) pieces_.pop_front();
    return {{}, bytes};
  }

  executor_type executor_;
  std::deque<std::string> pieces_;
  std::error_code end_;
  std::size_t read_ = 0;
  std::vector<std::size_t> reads_;
  std::vector<std::size_t> before_;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_SCRIPTED_STREAM_HPP
