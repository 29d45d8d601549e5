// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// What a frame_reader yields.

#include "async_resource/framing/frame_reader.hpp"

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async_resource/framing/frame_decoder.hpp"
#include "support/framing.hpp"
#include "support/scripted_stream.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;

using payload_list = std::vector<std::string>;
using batch_list = std::vector<payload_list>;

const std::error_code eof = asio::error::eof;

/// What the sans-I/O decoder makes of the same bytes.
template <class Prefix>
payload_list decode(const std::string& stream) {
  payload_list payloads;
  auto input = std::as_bytes(std::span(stream));
  frame_decoder<Prefix> decoder;
  while (const auto payload = decoder.next(input))
    payloads.emplace_back(reinterpret_cast<const char*>(payload->data()), payload->size());
  return payloads;
}

/// `stream` in pieces, cut at each offset that `cut` wants.
std::deque<std::string> pieces_of(const std::string& stream, auto cut) {
  std::deque<std::string> pieces(1);
  for (std::size_t i = 0; i != stream.size(); ++i) {
    if (i != 0 && cut(i)) pieces.emplace_back();
    pieces.back() += stream[i];
  }
  return pieces;
}

payload_list joined(const batch_list& batches) {
  payload_list payloads;
  for (const auto& batch : batches) payloads.insert(payloads.end(), batch.begin(), batch.end());
  return payloads;
}

}  // namespace

TEMPLATE_TEST_CASE("what has arrived together is yielded together", "[framing][reader]", asio::io_context,
                   asio::thread_pool) {
  TestType context;
  scripted_stream stream(context.get_executor(), {frames_of({"one", "", "two"}), frames_of({"three"})});
  frame_reader reader(stream);
  CHECK(read_all(context, reader) == std::pair(batch_list{{"one", "", "two"}, {"three"}}, eof));
  CHECK(stream.reads().size() == 3);
}

TEST_CASE("a frame begun is yielded with those that come with its end", "[framing][reader]") {
  asio::io_context context;
  const std::string stream_bytes = frames_of({"one", "two", "three"});
  scripted_stream stream(context.get_executor(), {stream_bytes.substr(0, 7), stream_bytes.substr(7)});
  frame_reader reader(stream);
  CHECK(read_all(context, reader) == std::pair(batch_list{{"one"}, {"two", "three"}}, eof));
}

TEMPLATE_TEST_CASE("every way of cutting a stream yields what frame_decoder yields", "[framing][reader]",
                   length_prefix<std::uint8_t>, length_prefix<>, length_prefix<std::uint32_t>,
                   (length_prefix<std::uint16_t, std::endian::little>)) {
  const std::string bytes = frames_of<TestType>({"a", "", "bc"});
  const payload_list expected = decode<TestType>(bytes);
  for (unsigned cuts = 0; cuts != 1U << (bytes.size() - 1); ++cuts) {
    asio::io_context context;
    scripted_stream stream(context.get_executor(), pieces_of(bytes, [&](auto i) { return cuts >> (i - 1) & 1; }));
    frame_reader<scripted_stream, TestType> reader(stream, {.buffer_size = cuts % 7});
    const auto [batches, error] = read_all(context, reader);
    if (joined(batches) != expected || error != eof) FAIL("cut at " << cuts);
  }
}

TEMPLATE_TEST_CASE("random frames cut at random yield what frame_decoder yields", "[framing][reader]", asio::io_context,
                   asio::thread_pool) {
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto up_to = [&](std::size_t last) { return std::uniform_int_distribution<std::size_t>(0, last)(random); };
  for (int round = 0; round != 20; ++round) {
    std::string bytes;
    while (bytes.size() < 100'000)
      bytes += frame_of(std::string(up_to(std::size_t{1} << up_to(14)), static_cast<char>('a' + up_to(25))));
    std::deque<std::string> pieces;
    for (std::size_t at = 0, size = 0; at != bytes.size(); at += size) {
      size = std::min(1 + up_to(std::size_t{1} << up_to(15)), bytes.size() - at);
      pieces.push_back(bytes.substr(at, size));
    }

    TestType context;
    scripted_stream stream(context.get_executor(), std::move(pieces));
    const std::size_t max_frames = 1 + up_to(20);
    frame_reader reader(stream, {.buffer_size = up_to(20'000), .max_frames = max_frames});
    const auto [batches, error] = read_all(context, reader);
    const bool equal = joined(batches) == decode<length_prefix<>>(bytes);
    CHECK(equal);
    CHECK(error == eof);
    CHECK(std::ranges::all_of(batches, [&](auto& batch) { return !batch.empty() && batch.size() <= max_frames; }));
  }
}

TEST_CASE("beyond max_frames the rest is left to the next call, which does not read", "[framing][reader]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {frames_of({"1", "2", "3", "4", "5"})});
  frame_reader reader(stream, {.max_frames = 2});
  const auto next = [&] { return strings(std::get<1>(wait(context, reader.async_read_frames(future_outcome)))); };
  CHECK(next() == payload_list{"1", "2"});
  CHECK_FALSE(reader.between_frames());
  CHECK(next() == payload_list{"3", "4"});
  CHECK(next() == payload_list{"5"});
  CHECK(reader.between_frames());
  CHECK(stream.reads().size() == 1);
}

TEST_CASE("max_frames is at least one", "[framing][reader]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {frames_of({"1", "2"})});
  frame_reader reader(stream, {.max_frames = 0});
  CHECK(read_all(context, reader) == std::pair(batch_list{{"1"}, {"2"}}, eof));
}

TEST_CASE("empty frames by the hundred thousand come in batches of max_frames", "[framing][reader]") {
  constexpr std::size_t count = 100'000;
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {std::string(count * 2, '\0')});
  frame_reader reader(stream);
  std::size_t seen = 0;
  for (;;) {
    const auto [error, frames] = wait(context, reader.async_read_frames(future_outcome));
    if (error) break;
    seen += frames.size();
    if (frames.size() > 64 || frames.bytes().size() != frames.size() * 2) FAIL("a batch of " << frames.size());
  }
  CHECK(seen == count);
  CHECK(stream.reads().size() == (count * 2 + 16 * 1024 - 1) / (16 * 1024) + 1);
}

TEST_CASE("payloads stay valid until the next call", "[framing][reader]") {
  asio::io_context context;
  const std::string large(100'000, 'x');
  using prefix = length_prefix<std::uint32_t>;
  scripted_stream stream(context.get_executor(), {frames_of<prefix>({"one", "two"}), frame_of<prefix>(large)});
  frame_reader<scripted_stream, prefix> reader(stream);
  const auto first = std::get<1>(wait(context, reader.async_read_frames(future_outcome)));
  auto operation = reader.async_read_frames(asio::deferred);
  CHECK(strings(first) == payload_list{"one", "two"});
  const auto second = std::get<1>(wait(context, std::move(operation)(future_outcome)));
  CHECK(strings(second) == payload_list{large});
}

TEST_CASE("a reader may be moved at any time, and then goes on", "[framing][reader]") {
  asio::io_context context;
  const std::string bytes = frames_of({"one", "two", "three"});
  scripted_stream stream(context.get_executor(), {bytes.substr(0, 7), bytes.substr(7)});
  frame_reader first(stream, {.max_frames = 1});
  auto one = first.async_read_frames(future_outcome);
  frame_reader second(std::move(first));
  CHECK(strings(std::get<1>(wait(context, std::move(one)))) == payload_list{"one"});
  auto two = second.async_read_frames(future_outcome);
  first = std::move(second);
  CHECK(strings(std::get<1>(wait(context, std::move(two)))) == payload_list{"two"});
  CHECK(read_all(context, first) == std::pair(batch_list{{"three"}}, eof));
}

TEST_CASE("a reader tells its stream, executor and limit", "[framing][reader]") {
  asio::io_context context;
  scripted_stream stream(context.get_executor(), {});
  const frame_reader reader(stream);
  static_assert(std::same_as<decltype(reader), const frame_reader<scripted_stream, length_prefix<>>>);
  CHECK(&reader.stream() == &stream);
  CHECK(reader.get_executor() == stream.get_executor());
  CHECK(reader.limit() == 65'535);
  CHECK(frame_reader(stream, {.limit = 100}).limit() == 100);
  CHECK(frame_reader<scripted_stream, length_prefix<std::uint32_t>>(stream).limit() == 1 << 20);
  CHECK(reader.between_frames());
}
