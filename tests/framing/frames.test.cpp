// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "async_resource/framing/frames.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "async_resource/framing/length_prefix.hpp"
#include "support/framing.hpp"

namespace {

using namespace asyncres::framing;
using testing::frames_of;
using testing::strings;

using payload_list = std::vector<std::string>;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

static_assert(std::ranges::view<frames<>>);
static_assert(std::ranges::forward_range<frames<>>);
static_assert(std::ranges::forward_range<const frames<>>);
static_assert(std::ranges::common_range<frames<>>);
static_assert(std::ranges::sized_range<frames<>>);
static_assert(std::ranges::borrowed_range<frames<>>);
static_assert(std::same_as<std::ranges::range_value_t<frames<>>, std::span<const std::byte>>);
static_assert(std::is_nothrow_default_constructible_v<frames<>> && std::is_trivially_copyable_v<frames<>>);

constexpr bool iterates_at_compile_time() {
  const std::array<std::byte, 6> bytes{std::byte{1}, std::byte{42}, std::byte{0}, std::byte{2}, std::byte{1}, {}};
  const frames<length_prefix<std::uint8_t>> three(bytes, 3);
  auto payload = three.begin();
  return (*payload++)[0] == std::byte{42} && (*payload++).empty() && (*payload++).size() == 2 && payload == three.end();
}
static_assert(iterates_at_compile_time());

}  // namespace

TEST_CASE("frames are their payloads in order, the empty ones too", "[framing][frames]") {
  const payload_list payloads{"", "one", "", std::string(65'535, 'x'), "two", ""};
  const std::string stream = frames_of(payloads);
  const frames<> all(bytes_of(stream), payloads.size());
  CHECK(strings(all) == payloads);
  CHECK(all.size() == payloads.size());
  CHECK_FALSE(all.empty());
  CHECK(static_cast<std::size_t>(std::ranges::distance(all)) == all.size());
}

TEST_CASE("frames lie where they lay, their prefixes before them", "[framing][frames]") {
  const std::string stream = frames_of({"one", "two"});
  const frames<> both(bytes_of(stream), 2);
  CHECK((*both.begin()).data() == bytes_of(stream).data() + 2);
  CHECK(both.bytes().data() == bytes_of(stream).data());
  CHECK(both.bytes().size() == stream.size());
}

TEST_CASE("no frames are an empty range", "[framing][frames]") {
  const frames<> none;
  CHECK(none.empty());
  CHECK(none.size() == 0);
  CHECK(none.begin() == none.end());
  CHECK(none.bytes().empty());
}

TEST_CASE("an iterator may be copied, compared, and used after the frames have gone", "[framing][frames]") {
  const std::string stream = frames_of({"one", "two", "one"});
  const auto two = std::ranges::find(frames<>(bytes_of(stream), 3), std::byte{'t'},
                                     [](std::span<const std::byte> payload) { return payload[0]; });
  static_assert(std::same_as<decltype(two), const frames<>::iterator>);
  auto next = two;
  CHECK(next++ == two);
  CHECK(next != two);
  CHECK(static_cast<std::size_t>((*next).data() - bytes_of(stream).data()) == 12);
  CHECK(++next == frames<>(bytes_of(stream), 3).end());
  CHECK(frames<>::iterator() == frames<>::iterator());
}

TEMPLATE_TEST_CASE("frames of any prefix are iterated", "[framing][frames]", length_prefix<std::uint8_t>,
                   length_prefix<std::uint32_t>, length_prefix<std::uint64_t>,
                   (length_prefix<std::uint32_t, std::endian::little>)) {
  const payload_list payloads{"one", "", std::string(255, 'x'), "two"};
  const std::string stream = frames_of<TestType>(payloads);
  CHECK(strings(frames<TestType>(bytes_of(stream), 4)) == payloads);
}
