// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "async_resource/framing/frame_decoder.hpp"

#include <algorithm>
#include <bit>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <system_error>
#include <vector>

#include "async_resource/error.hpp"
#include "async_resource/framing/length_prefix.hpp"

namespace {

using namespace asyncres::framing;
using asyncres::errc;
using bytes = std::vector<std::byte>;

template <class Length>
using little_prefix = length_prefix<Length, std::endian::little>;

bytes payload_of(std::size_t size) {
  bytes payload(size);
  for (std::size_t i = 0; i != size; ++i) payload[i] = static_cast<std::byte>(i * 31 + size);
  return payload;
}

template <class Prefix = length_prefix<>>
bytes frames_of(const std::vector<bytes>& payloads) {
  bytes stream;
  for (const bytes& payload : payloads) {
    const auto prefix = Prefix::encode(static_cast<typename Prefix::length_type>(payload.size()));
    stream.insert(stream.end(), prefix.begin(), prefix.end());
    stream.insert(stream.end(), payload.begin(), payload.end());
  }
  return stream;
}

/// Feed `stream` to `decoder` in pieces of at most `piece` bytes, and collect the payloads.
template <class Prefix>
std::vector<bytes> decode(frame_decoder<Prefix>& decoder, std::span<const std::byte> stream, std::size_t piece) {
  std::vector<bytes> payloads;
  while (!stream.empty() && !decoder.error()) {
    auto input = stream.first(std::min(piece, stream.size()));
    stream = stream.subspan(input.size());
    while (const auto payload = decoder.next(input)) payloads.emplace_back(payload->begin(), payload->end());
  }
  return payloads;
}

/// The obvious decoder of whole 16 bit big endian streams.
std::vector<bytes> decode_naively(const bytes& stream) {
  std::vector<bytes> payloads;
  for (std::size_t at = 0; at != stream.size();) {
    const auto size = std::to_integer<std::size_t>(stream[at]) * 256 + std::to_integer<std::size_t>(stream[at + 1]);
    const auto first = stream.begin() + static_cast<std::ptrdiff_t>(at + 2);
    payloads.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
    at += 2 + size;
  }
  return payloads;
}

constexpr bool decodes_at_compile_time() {
  const std::byte stream[] = {std::byte{0}, std::byte{1}, std::byte{42}};
  std::span<const std::byte> input(stream);
  frame_decoder<> decoder;
  const auto payload = decoder.next(input);
  return payload && payload->size() == 1 && payload->front() == std::byte{42} && input.empty();
}
static_assert(decodes_at_compile_time());

}  // namespace

TEMPLATE_TEST_CASE("frames come out as they went in, whatever pieces they arrive in", "[framing][decoder]",
                   length_prefix<std::uint8_t>, length_prefix<std::uint16_t>, length_prefix<std::uint32_t>,
                   length_prefix<std::uint64_t>, little_prefix<std::uint8_t>, little_prefix<std::uint16_t>,
                   little_prefix<std::uint32_t>, little_prefix<std::uint64_t>) {
  const std::vector<bytes> payloads{payload_of(3), {}, payload_of(1), payload_of(255), {}, {}, payload_of(254)};
  const bytes stream = frames_of<TestType>(payloads);

  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    frame_decoder<TestType> decoder;
    CHECK(decode(decoder, stream, piece) == payloads);
    CHECK(decoder.finish() == std::error_code());
  }
}

TEST_CASE("10,000 frames decode as a naive decoder decodes them", "[framing][decoder]") {
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto up_to = [&](std::size_t last) { return std::uniform_int_distribution<std::size_t>(0, last)(random); };

  bytes stream;
  for (int frame = 0; frame != 10'000; ++frame) {
    const bytes next = frames_of({payload_of(up_to((std::size_t{1} << up_to(16)) - 1))});
    stream.insert(stream.end(), next.begin(), next.end());
  }

  frame_decoder<> decoder;
  std::vector<bytes> payloads;
  for (std::span<const std::byte> rest(stream); !rest.empty();) {
    auto input = rest.first(std::min(rest.size(), up_to(std::size_t{1} << up_to(17))));
    rest = rest.subspan(input.size());
    while (const auto payload = decoder.next(input)) payloads.emplace_back(payload->begin(), payload->end());
  }
  const bool equal = payloads == decode_naively(stream);
  CHECK(payloads.size() == 10'000);
  CHECK(equal);
  CHECK(decoder.finish() == std::error_code());
}

TEST_CASE("a payload that lies whole in the input is not copied", "[framing][decoder]") {
  const bytes stream = frames_of({payload_of(10), payload_of(20)});
  std::span<const std::byte> input(stream);
  frame_decoder<> decoder;
  CHECK(decoder.next(input)->data() == stream.data() + 2);
  CHECK(decoder.next(input)->data() == stream.data() + 14);
  CHECK_FALSE(decoder.next(input));
}

TEST_CASE("the decoder takes nothing beyond the frame it yields", "[framing][decoder]") {
  const bytes stream = frames_of({payload_of(10), payload_of(20)});
  std::span<const std::byte> input(stream);
  frame_decoder<> decoder;
  REQUIRE(decoder.next(input));
  CHECK(input.size() == 22);
}

TEST_CASE("the limit itself is accepted, one more is too large", "[framing][decoder]") {
  for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{65'534}}) {
    frame_decoder<> decoder(limit);
    CHECK(decoder.limit() == limit);
    CHECK(decode(decoder, frames_of({payload_of(limit)}), SIZE_MAX).size() == 1);
    CHECK_FALSE(decoder.error());
    CHECK(decode(decoder, frames_of({payload_of(limit + 1)}), SIZE_MAX).empty());
    CHECK(decoder.error() == errc::frame_too_large);
  }
}

TEST_CASE("a frame is too large as soon as its prefix is there, and for good", "[framing][decoder]") {
  const bytes stream = frames_of({payload_of(11)});
  frame_decoder<> decoder(10);

  std::span<const std::byte> input(stream.data(), 1);
  CHECK_FALSE(decoder.next(input));
  CHECK_FALSE(decoder.error());

  input = {stream.data() + 1, stream.size() - 1};
  CHECK_FALSE(decoder.next(input));
  CHECK(decoder.error() == errc::frame_too_large);
  CHECK(decoder.finish() == errc::frame_too_large);
  CHECK(input.size() == 11);

  CHECK_FALSE(decoder.next(input));
  CHECK(decoder.error() == errc::frame_too_large);
  CHECK(input.size() == 11);
}

TEST_CASE("a length that no machine could hold is too large", "[framing][decoder]") {
  const bytes stream(20, std::byte{0xff});
  frame_decoder<length_prefix<std::uint64_t>> decoder;
  CHECK(decode(decoder, stream, 1).empty());
  CHECK(decoder.error() == errc::frame_too_large);
}

TEST_CASE("an end of the stream is clean between frames and truncates inside one", "[framing][decoder]") {
  const bytes stream = frames_of<length_prefix<std::uint32_t>>({payload_of(5)});
  for (std::size_t size = 0; size <= stream.size(); ++size) {
    frame_decoder<length_prefix<std::uint32_t>> decoder;
    decode(decoder, std::span(stream).first(size), SIZE_MAX);
    const bool between = size == 0 || size == stream.size();
    CHECK(decoder.finish() == (between ? std::error_code() : errc::frame_truncated));
    CHECK_FALSE(decoder.error());
  }
}

TEST_CASE("where there is no room for a payload, the decoder can try again", "[framing][decoder]") {
  bytes stream(9, std::byte{0xff});
  std::span<const std::byte> input(stream);
  frame_decoder<length_prefix<std::uint64_t>> decoder(SIZE_MAX);
  CHECK_THROWS(decoder.next(input));
  CHECK(input.size() == 1);
  CHECK_THROWS(decoder.next(input));
  CHECK(input.size() == 1);
  CHECK(decoder.finish() == errc::frame_truncated);
}
