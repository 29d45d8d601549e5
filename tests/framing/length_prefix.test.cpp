// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "async_resource/framing/length_prefix.hpp"

#include <array>
#include <bit>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace {

using namespace asyncres::framing;

template <std::size_t N>
constexpr auto bytes(const std::uint8_t (&values)[N]) {
  std::array<std::byte, N> result{};
  for (std::size_t i = 0; i != N; ++i) result[i] = std::byte{values[i]};
  return result;
}

template <class Length>
using little_prefix = length_prefix<Length, std::endian::little>;

static_assert(std::same_as<length_prefix<>, length_prefix<std::uint16_t, std::endian::big>>);
static_assert(frame_prefix<length_prefix<>>);
static_assert(!frame_prefix<std::uint32_t>);

static_assert(length_prefix<std::uint8_t>::encode(0xab) == bytes({0xab}));
static_assert(length_prefix<std::uint16_t>::encode(0x0102) == bytes({1, 2}));
static_assert(length_prefix<std::uint32_t>::encode(0x01020304) == bytes({1, 2, 3, 4}));
static_assert(length_prefix<std::uint64_t>::encode(0x0102030405060708) == bytes({1, 2, 3, 4, 5, 6, 7, 8}));
static_assert(little_prefix<std::uint8_t>::encode(0xab) == bytes({0xab}));
static_assert(little_prefix<std::uint16_t>::encode(0x0102) == bytes({2, 1}));
static_assert(little_prefix<std::uint32_t>::encode(0x01020304) == bytes({4, 3, 2, 1}));
static_assert(little_prefix<std::uint64_t>::encode(0x0102030405060708) == bytes({8, 7, 6, 5, 4, 3, 2, 1}));

static_assert(default_limit<length_prefix<std::uint8_t>> == 255);
static_assert(default_limit<length_prefix<std::uint16_t>> == 65'535);
static_assert(default_limit<length_prefix<std::uint32_t>> == 1'048'576);
static_assert(default_limit<length_prefix<std::uint64_t>> == 1'048'576);

}  // namespace

TEMPLATE_TEST_CASE("a prefix decodes what it encoded, from zero to its maximum", "[framing]",
                   length_prefix<std::uint8_t>, length_prefix<std::uint16_t>, length_prefix<std::uint32_t>,
                   length_prefix<std::uint64_t>, little_prefix<std::uint8_t>, little_prefix<std::uint16_t>,
                   little_prefix<std::uint32_t>, little_prefix<std::uint64_t>) {
  using length_type = typename TestType::length_type;
  STATIC_REQUIRE(TestType::size == sizeof(length_type));
  STATIC_REQUIRE(TestType::max == std::numeric_limits<length_type>::max());

  for (int bit = 0; bit != std::numeric_limits<length_type>::digits; ++bit) {
    const auto power = static_cast<length_type>(length_type{1} << bit);
    for (const auto length : {static_cast<length_type>(power - 1), power, static_cast<length_type>(power + 1)})
      CHECK(TestType::decode(TestType::encode(length)) == length);
  }
  CHECK(TestType::decode(TestType::encode(0)) == 0);
  CHECK(TestType::decode(TestType::encode(TestType::max)) == TestType::max);
}
