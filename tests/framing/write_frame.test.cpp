// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "async_resource/framing/write_frame.hpp"

#include <array>
#include <bit>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "async_resource/error.hpp"
#include "async_resource/framing/length_prefix.hpp"
#include "support/framing.hpp"
#include "support/memory_stream.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;
using asyncres::errc;

template <class Length>
using little_prefix = length_prefix<Length, std::endian::little>;

template <class Prefix = length_prefix<>, class Context, class Buffers, class... Limit>
outcome write_frame(Context& context, memory_stream& stream, const Buffers& payload, Limit... limit) {
  return wait(context, async_write_frame<Prefix>(stream, payload, limit..., future_outcome));
}

std::string reversed(std::string_view text) {
  return {text.rbegin(), text.rend()};
}

}  // namespace

TEMPLATE_TEST_CASE("a frame is written whole, whatever pieces the stream takes", "[framing][write]",
                   length_prefix<std::uint8_t>, length_prefix<std::uint16_t>, length_prefix<std::uint32_t>,
                   length_prefix<std::uint64_t>, little_prefix<std::uint32_t>) {
  asio::io_context context;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{255}}) {
    const std::string payload(size, 'x');
    for (std::size_t chunk = 1; chunk <= size + TestType::size; ++chunk) {
      memory_stream stream(context.get_executor(), {}, chunk);
      CHECK(write_frame<TestType>(context, stream, asio::buffer(payload)) == success(size));
      CHECK(stream.written() == frame_of<TestType>(payload));
    }
  }
}

TEMPLATE_TEST_CASE("prefix and payload are handed to the stream together", "[framing][write]", asio::io_context,
                   asio::thread_pool) {
  TestType context;
  memory_stream stream(context.get_executor());
  const std::array<asio::const_buffer, 3> payload{asio::buffer("one", 3), asio::buffer("two", 3),
                                                  asio::buffer("three", 5)};
  CHECK(write_frame(context, stream, payload) == success(11));
  CHECK(stream.written() == frame_of("onetwothree"));
  CHECK(stream.writes() == std::vector<std::size_t>{4});
}

TEST_CASE("a payload may be a sequence of any number of buffers", "[framing][write]") {
  asio::io_context context;
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{100}}) {
    const std::vector<asio::mutable_buffer> none;
    const std::vector<asio::const_buffer> payload(count, asio::buffer("ab", 2));
    memory_stream stream(context.get_executor(), {}, 7);
    CHECK(write_frame(context, stream, payload) == success(2 * count));
    CHECK(stream.written().size() == 2 + 2 * count);
    CHECK(stream.written().substr(0, 2) == frame_of(std::string(2 * count, ' ')).substr(0, 2));
    CHECK(write_frame(context, stream, none) == success(0));
  }
}

TEST_CASE("the buffers of a frame can be walked both ways", "[framing][write]") {
  const std::array<asio::const_buffer, 2> payload{asio::buffer("cd", 2), asio::buffer("ef", 2)};
  const detail::frame_buffers frame(asio::buffer("ab", 2), payload);
  STATIC_REQUIRE(const_buffer_sequence<detail::frame_buffers<std::array<asio::const_buffer, 2>>>);
  STATIC_REQUIRE(std::bidirectional_iterator<decltype(frame.begin())>);

  std::string forwards;
  for (auto it = frame.begin(); it != frame.end();) forwards += *static_cast<const char*>((*it++).data());
  std::string backwards;
  for (auto it = frame.end(); it != frame.begin();) backwards += *static_cast<const char*>((*--it).data());
  CHECK(forwards == "ace");
  CHECK(backwards == reversed(forwards));
}

TEMPLATE_TEST_CASE("a payload that the prefix cannot announce is refused, whatever the limit", "[framing][write]",
                   length_prefix<std::uint8_t>, length_prefix<std::uint16_t>, little_prefix<std::uint16_t>) {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  const std::string payload(std::size_t{TestType::max} + 1, 'x');
  CHECK(write_frame<TestType>(context, stream, asio::buffer(payload)) == failure(errc::frame_too_large));
  CHECK(write_frame<TestType>(context, stream, asio::buffer(payload), SIZE_MAX) == failure(errc::frame_too_large));
  CHECK(stream.writes().empty());

  CHECK(write_frame<TestType>(context, stream, asio::buffer(payload, TestType::max)) == success(TestType::max));
  CHECK(stream.written() == frame_of<TestType>(std::string_view(payload).substr(1)));
}

TEMPLATE_TEST_CASE("a payload of the limit is written, of one byte more nothing is", "[framing][write]",
                   asio::io_context, asio::thread_pool) {
  TestType context;
  memory_stream stream(context.get_executor());
  const std::string payload = "123456789";
  CHECK(write_frame(context, stream, asio::buffer(payload), std::size_t{8}) == failure(errc::frame_too_large));
  CHECK(stream.writes().empty());
  CHECK(write_frame(context, stream, asio::buffer(payload), std::size_t{9}) == success(9));
  CHECK(write_frame(context, stream, asio::const_buffer(), std::size_t{0}) == success(0));
}

TEST_CASE("without a limit, a payload of 1 MiB is written and a longer one is refused", "[framing][write]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  const std::string payload((1 << 20) + 1, 'x');
  CHECK(write_frame<length_prefix<std::uint32_t>>(context, stream, asio::buffer(payload)) ==
        failure(errc::frame_too_large));
  CHECK(stream.writes().empty());
  CHECK(write_frame<length_prefix<std::uint32_t>>(context, stream, asio::buffer(payload, 1 << 20)) == success(1 << 20));
}

TEST_CASE("sizes that add up beyond std::size_t do not slip through", "[framing][write]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  const char byte = 'x';
  const std::array<asio::const_buffer, 2> payload{asio::const_buffer(&byte, SIZE_MAX), asio::const_buffer(&byte, 2)};
  CHECK(write_frame<length_prefix<std::uint64_t>>(context, stream, payload, SIZE_MAX) ==
        failure(errc::frame_too_large));
  CHECK(stream.writes().empty());
}
