// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// How a frame_reader ends, and what it holds.

#include <algorithm>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async_resource/error.hpp"
#include "async_resource/framing/frame_reader.hpp"
#include "support/framing.hpp"
#include "support/scripted_stream.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;
using asyncres::errc;

using payload_list = std::vector<std::string>;
using batch_list = std::vector<payload_list>;
using u32 = length_prefix<std::uint32_t>;
using u64 = length_prefix<std::uint64_t>;

const std::error_code eof = asio::error::eof;

/// What a reader of `pieces` yields, then the error.
template <class Prefix = length_prefix<>>
std::pair<batch_list, std::error_code> read_pieces(std::deque<std::string> pieces,
                                                   frame_reader_options<Prefix> options = {},
                                                   std::error_code end = eof) {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), std::move(pieces), end);
  frame_reader<scripted_stream, Prefix> reader(stream, options);
  return read_all(context, reader);
}

}  // namespace

TEST_CASE("the end of the stream is eof between frames and truncates inside one, after the frames before",
          "[framing][reader]") {
  const std::string bytes = frames_of({"one", "two"});
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    batch_list expected;
    if (size >= 5) expected.push_back({"one"});
    if (size == 10) expected.back().push_back("two");
    CHECK(read_pieces({bytes.substr(0, size)}) == std::pair(expected, size % 5 == 0 ? eof : errc::frame_truncated));
  }
}

TEST_CASE("an error of the stream is told as it is, inside a frame too", "[framing][reader]") {
  const std::error_code reset = asio::error::connection_reset;
  CHECK(read_pieces({}, {}, reset) == std::pair(batch_list{}, reset));
  CHECK(read_pieces({frame_of("one") + '\x01'}, {}, reset) == std::pair(batch_list{{"one"}}, reset));
}

TEST_CASE("after an error the call may be repeated", "[framing][reader]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {frame_of("one").substr(0, 3)}, asio::error::try_again);
  frame_reader reader(stream);
  CHECK(read_all(context, reader) == std::pair(batch_list{}, std::error_code(asio::error::try_again)));
  stream.append(frame_of("one").substr(3));
  CHECK(read_all(context, reader) == std::pair(batch_list{{"one"}}, std::error_code(asio::error::try_again)));
}

TEST_CASE("a frame that is too large is told after the frames before it, without its payload, and for good",
          "[framing][reader]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {frames_of({"123", "1234"}).substr(0, 7), frame_of("1")});
  frame_reader reader(stream, {.limit = 3});
  CHECK(read_all(context, reader) == std::pair(batch_list{{"123"}}, std::error_code(errc::frame_too_large)));
  CHECK(read_all(context, reader) == std::pair(batch_list{}, std::error_code(errc::frame_too_large)));
  CHECK(stream.reads().size() == 1);
}

TEST_CASE("a frame that is too large is so wherever its prefix is cut", "[framing][reader]") {
  const std::string bytes = frame_of<u32>("1") + frame_of<u32>("1234");
  for (std::size_t cut = 5; cut != 9; ++cut) {
    CHECK(read_pieces<u32>({bytes.substr(0, cut), bytes.substr(cut)}, {.limit = 3}) ==
          std::pair(batch_list{{"1"}}, std::error_code(errc::frame_too_large)));
    CHECK(read_pieces<u32>({bytes.substr(0, cut)}, {.limit = 3}) ==
          std::pair(batch_list{{"1"}}, cut == 5 ? eof : errc::frame_truncated));
  }
}

TEST_CASE("a limit of zero lets empty frames pass", "[framing][reader]") {
  CHECK(read_pieces({frames_of({"", "", "1"})}, {.limit = 0}) ==
        std::pair(batch_list{{"", ""}}, std::error_code(errc::frame_too_large)));
}

TEST_CASE("a length that no machine could hold is too large, whatever the limit", "[framing][reader]") {
  for (const std::size_t limit : {std::size_t{100}, SIZE_MAX - 1, SIZE_MAX})
    CHECK(read_pieces<u64>({std::string(20, '\xff')}, {.limit = limit}) ==
          std::pair(batch_list{}, std::error_code(errc::frame_too_large)));
}

TEST_CASE("with any limit, a large length is believed only as far as bytes come", "[framing][reader]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {std::string("\x3f", 1) + std::string(7, '\xff'), "abc"});
  frame_reader<scripted_stream, u64> reader(stream, {.limit = SIZE_MAX, .buffer_size = 16});
  CHECK(read_all(context, reader) == std::pair(batch_list{}, std::error_code(errc::frame_truncated)));
  CHECK(stream.reads() == std::vector<std::size_t>{16, 8, 5});
}

TEST_CASE("the buffer grows to the frame, and never to more than twice what has arrived of it", "[framing][reader]") {
  for (const std::size_t size : {100UL, 999UL, 1000UL, 1001UL, 65'536UL, 1'000'000UL})
    for (const std::size_t piece : {1'000UL, 64UL, SIZE_MAX}) {
      asio::io_context context;
      scripted_stream stream(context.get_executor(), {});
      const std::string frame = frame_of<u32>(std::string(size, 'x'));
      for (std::size_t at = 0; at < frame.size(); at += std::min(piece, frame.size()))
        stream.append(frame.substr(at, piece));
      frame_reader<scripted_stream, u32> reader(stream, {.buffer_size = 100});
      const auto [error, frames] = wait(context, reader.async_read_frames(future_outcome));
      CHECK(frames.size() == 1);

      bool bounded = true;
      for (std::size_t i = 0; i != stream.reads().size(); ++i) {
        const std::size_t arrived = stream.before()[i];
        const std::size_t capacity = arrived + stream.reads()[i];
        bounded = bounded && capacity <= std::max<std::size_t>(100, std::min(2 * arrived, frame.size()));
      }
      CHECK(bounded);
    }
}

TEST_CASE("what has grown is used from then on, in full", "[framing][reader]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {frame_of(std::string(1000, 'x')), frame_of("one")});
  frame_reader reader(stream, {.buffer_size = 10});
  CHECK(read_all(context, reader).first.size() == 2);
  CHECK(stream.reads().end()[-2] == 1002);
  CHECK(stream.reads().back() == 1002);
}

TEST_CASE("a buffer of no size, or of one byte, grows to the frames", "[framing][reader]") {
  for (const std::size_t size : {0UL, 1UL, 2UL, 3UL}) {
    const auto [batches, error] = read_pieces({frames_of({"", "1", "", std::string(1000, 'x'), "2"})},
                                              frame_reader_options<>{.buffer_size = size});
    payload_list payloads;
    for (const auto& batch : batches) payloads.insert(payloads.end(), batch.begin(), batch.end());
    CHECK(payloads == payload_list{"", "1", "", std::string(1000, 'x'), "2"});
    CHECK(error == eof);
  }
}

TEST_CASE("a buffer that there is no room for is refused by the constructor", "[framing][reader]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {});
  CHECK_THROWS_AS(frame_reader(stream, {.buffer_size = SIZE_MAX}), std::bad_alloc);
}
