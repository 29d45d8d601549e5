// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_ANSWERS_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_ANSWERS_HPP

// What a server is to reply, and what it has to have written by then.

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <vector>

#include "async_resource/error.hpp"
#include "naive_decoder.hpp"

namespace fuzzing {

using reply = std::vector<std::byte>;

/// Answers requests. Answers to the same request differ, unless it is empty.
class answerer {
 public:
  explicit answerer(std::size_t repeats) : repeats_(repeats) {}

  reply answer(bytes request) {
    reply result;
    result.reserve(request.size() * repeats_);
    for (std::size_t i = 0; i != repeats_; ++i) result.insert(result.end(), request.begin(), request.end());
    const auto key = static_cast<std::byte>(0x5a + count_++);
    if (!result.empty()) result.front() ^= key;
    return result;
  }

 private:
  std::size_t repeats_;
  std::size_t count_ = 0;
};

inline void append_frame(std::vector<std::byte>& stream, const frame_format& format, const reply& payload) {
  for (std::size_t i = 0; i != format.prefix_size; ++i) {
    const std::size_t place = format.big_endian ? format.prefix_size - 1 - i : i;
    stream.push_back(static_cast<std::byte>(std::uint64_t{payload.size()} >> 8 * place));
  }
  stream.insert(stream.end(), payload.begin(), payload.end());
}

/// What a server writes to which `stream` has come, up to the first reply that is too large.
struct expected_replies {
  std::vector<std::byte> stream;
  std::error_code error;
};

inline expected_replies expect_replies(const frame_format& format, std::size_t limit, std::size_t repeats,
                                       const naive_frames& requests) {
  expected_replies expected;
  answerer again(repeats);
  for (const bytes request : requests.payloads) {
    const reply next = again.answer(request);
    if (next.size() > limit) {
      expected.error = asyncres::errc::frame_too_large;
      break;
    }
    append_frame(expected.stream, format, next);
  }
  return expected;
}

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_ANSWERS_HPP
