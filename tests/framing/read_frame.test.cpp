// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "async_resource/framing/read_frame.hpp"

#include <bit>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
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

template <class Prefix = length_prefix<>, class Context, class Container, class... Limit>
outcome read_frame(Context& context, memory_stream& stream, Container& payload, Limit... limit) {
  return wait(context, async_read_frame<Prefix>(stream, payload, limit..., future_outcome));
}

template <class Exception>
struct full_container : std::vector<std::byte> {
  void resize(std::size_t) { throw Exception("full"); }
};

const auto no_memory = std::make_error_code(std::errc::not_enough_memory);

struct out_of_memory : std::bad_alloc {
  explicit out_of_memory(const char*) {}
};

}  // namespace

TEMPLATE_TEST_CASE("a frame is read whole, whatever pieces it arrives in", "[framing][read]",
                   length_prefix<std::uint8_t>, length_prefix<std::uint16_t>, length_prefix<std::uint32_t>,
                   length_prefix<std::uint64_t>, little_prefix<std::uint32_t>) {
  asio::io_context context;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{255}}) {
    const std::string sent(size, 'x');
    for (std::size_t chunk = 1; chunk <= size + TestType::size; ++chunk) {
      memory_stream stream(context.get_executor(), frame_of<TestType>(sent) + "next", chunk);
      std::string payload = "old";
      CHECK(read_frame<TestType>(context, stream, payload) == success(size));
      CHECK(payload == sent);
      CHECK(stream.unread() == "next");
    }
  }
}

TEMPLATE_TEST_CASE("the longest payload a prefix can announce is read", "[framing][read]", length_prefix<std::uint8_t>,
                   length_prefix<std::uint16_t>, little_prefix<std::uint16_t>) {
  asio::io_context context;
  for (const std::size_t size : {std::size_t{TestType::max} - 1, std::size_t{TestType::max}}) {
    const std::string sent(size, 'x');
    memory_stream stream(context.get_executor(), frame_of<TestType>(sent));
    std::string payload;
    CHECK(read_frame<TestType>(context, stream, payload) == success(size));
    CHECK(payload == sent);
  }
}

TEMPLATE_TEST_CASE("any contiguous, resizable container of bytes receives a payload", "[framing][read]", std::string,
                   std::vector<char>, std::vector<unsigned char>, std::vector<std::byte>) {
  asio::io_context context;
  memory_stream stream(context.get_executor(), frame_of("abc"));
  TestType payload;
  CHECK(read_frame(context, stream, payload) == success(3));
  REQUIRE(payload.size() == 3);
  CHECK(static_cast<char>(payload[2]) == 'c');
}

TEMPLATE_TEST_CASE("frames are read one after another until the stream ends", "[framing][read]", asio::io_context,
                   asio::thread_pool) {
  TestType context;
  memory_stream stream(context.get_executor(), frame_of("one") + frame_of("") + frame_of("three"), 2);
  std::string payload;
  CHECK(read_frame(context, stream, payload) == success(3));
  CHECK(payload == "one");
  CHECK(read_frame(context, stream, payload) == success(0));
  CHECK(payload.empty());
  CHECK(read_frame(context, stream, payload) == success(5));
  CHECK(payload == "three");
  CHECK(read_frame(context, stream, payload) == failure(asio::error::eof));
}

TEMPLATE_TEST_CASE("a stream that ends inside a frame, prefix included, truncates it", "[framing][read]",
                   length_prefix<std::uint8_t>, length_prefix<std::uint16_t>, length_prefix<std::uint32_t>,
                   length_prefix<std::uint64_t>) {
  asio::io_context context;
  const std::string frame = frame_of<TestType>("payload");
  for (std::size_t size = 1; size != frame.size(); ++size) {
    memory_stream stream(context.get_executor(), frame.substr(0, size), 3);
    std::string payload;
    CHECK(read_frame<TestType>(context, stream, payload) == failure(errc::frame_truncated));
  }
}

TEST_CASE("a payload of the limit is read, one byte more is too large and makes no room", "[framing][read]") {
  asio::io_context context;
  memory_stream stream(context.get_executor(), frame_of("12345678") + frame_of("123456789"));
  std::string payload;
  CHECK(read_frame(context, stream, payload, std::size_t{8}) == success(8));
  CHECK(payload == "12345678");
  CHECK(read_frame(context, stream, payload, std::size_t{8}) == failure(errc::frame_too_large));
  CHECK(payload == "12345678");
  CHECK(stream.unread() == "123456789");
}

TEST_CASE("without a limit, a payload of 1 MiB is read and a longer one is too large", "[framing][read]") {
  using prefix = length_prefix<std::uint32_t>;
  asio::io_context context;
  memory_stream stream(context.get_executor(),
                       frame_of<prefix>(std::string(1 << 20, 'x')) + frame_of<prefix>(std::string((1 << 20) + 1, 'x')));
  std::vector<char> payload;
  CHECK(read_frame<prefix>(context, stream, payload) == success(1 << 20));
  std::vector<char> untouched;
  CHECK(read_frame<prefix>(context, stream, untouched) == failure(errc::frame_too_large));
  CHECK(untouched.capacity() == 0);
}

TEST_CASE("a length that no machine could hold is too large, or too much for the container", "[framing][read]") {
  using prefix = length_prefix<std::uint64_t>;
  asio::io_context context;
  std::string payload;
  memory_stream limited(context.get_executor(), std::string(20, '\xff'));
  CHECK(read_frame<prefix>(context, limited, payload) == failure(errc::frame_too_large));
  memory_stream unlimited(context.get_executor(), std::string(20, '\xff'));
  CHECK(read_frame<prefix>(context, unlimited, payload, SIZE_MAX) == failure(no_memory));
}

TEMPLATE_TEST_CASE("a container that cannot make room fails the operation for lack of memory", "[framing][read]",
                   std::length_error, out_of_memory) {
  asio::io_context context;
  memory_stream stream(context.get_executor(), frame_of("abc"));
  full_container<TestType> payload;
  CHECK(read_frame(context, stream, payload) == failure(no_memory));
}
