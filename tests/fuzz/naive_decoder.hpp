// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_NAIVE_DECODER_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_NAIVE_DECODER_HPP

// What a stream of frames holds, worked out from all of its bytes at once: no state, no pieces, and nothing of the
// library's but the names of its errors.

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>
#include <vector>

#include "async_resource/error.hpp"

namespace fuzzing {

using bytes = std::span<const std::byte>;

struct frame_format {
  std::size_t prefix_size;
  bool big_endian;
  std::size_t limit;
};

struct naive_frames {
  std::vector<bytes> payloads;  // of the frames that are whole
  bytes rest;                   // what follows them
  std::uint64_t announced = 0;  // by the prefix in the rest; 0 as long as that is not whole
  bool too_large = false;       // what is announced is above the limit

  std::error_code error() const { return too_large ? asyncres::errc::frame_too_large : std::error_code(); }
  std::error_code finish() const { return too_large || rest.empty() ? error() : asyncres::errc::frame_truncated; }
};

inline std::uint64_t decode_length(bytes prefix, bool big_endian) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i != prefix.size(); ++i)
    length = length * 256 + std::to_integer<std::uint64_t>(prefix[big_endian ? i : prefix.size() - 1 - i]);
  return length;
}

inline naive_frames decode_naively(const frame_format& format, bytes stream) {
  naive_frames frames;
  frames.rest = stream;
  while (frames.rest.size() >= format.prefix_size) {
    const auto length = decode_length(frames.rest.first(format.prefix_size), format.big_endian);
    const auto behind = frames.rest.subspan(format.prefix_size);
    frames.too_large = length > format.limit;
    if (frames.too_large || length > behind.size()) {
      frames.announced = length;
      break;
    }
    frames.payloads.push_back(behind.first(static_cast<std::size_t>(length)));
    frames.rest = behind.subspan(static_cast<std::size_t>(length));
  }
  return frames;
}

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_NAIVE_DECODER_HPP
