// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// What a frame_writer writes, and when.

#include "async_resource/framing/frame_writer.hpp"

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async_resource/error.hpp"
#include "support/framing.hpp"
#include "support/memory_stream.hpp"

namespace {

using namespace asyncres::framing;
using namespace testing;
using asyncres::errc;
using u32 = length_prefix<std::uint32_t>;

template <class Context, class Writer>
outcome flush(Context& context, Writer& writer) {
  return wait(context, writer.async_flush(future_outcome));
}

void add(auto& writer, std::string_view payload) {
  REQUIRE_FALSE(writer.add(asio::buffer(payload)));
}
void add_borrowed(auto& writer, std::string_view payload) {
  REQUIRE_FALSE(writer.add_borrowed(asio::buffer(payload)));
}

/// An AsyncWriteStream that takes so many bytes, and then fails.
class failing_stream {
 public:
  using executor_type = asio::io_context::executor_type;

  failing_stream(executor_type executor, std::size_t room) : executor_(executor), room_(room) {}

  executor_type get_executor() const noexcept { return executor_; }

  template <class ConstBufferSequence, class Token>
  auto async_write_some(const ConstBufferSequence& buffers, Token&& token) {
    const std::size_t bytes = std::min(asio::buffer_size(buffers), std::exchange(room_, 0));
    const std::error_code error = bytes == 0 ? asio::error::broken_pipe : std::error_code();
    return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
        [=, executor = executor_](auto handler) {
          asio::post(executor, asio::append(std::move(handler), error, bytes));
        },
        token);
  }

 private:
  executor_type executor_;
  std::size_t room_;
};

}  // namespace

TEMPLATE_TEST_CASE("what has been added leaves together, in order, in one write", "[framing][writer]", asio::io_context,
                   asio::thread_pool) {
  TestType context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  std::string expected;
  for (int i = 0; i != 1000; ++i) {
    const std::string payload(static_cast<std::size_t>(i % 50), static_cast<char>('a' + i % 26));
    add(writer, payload);
    expected += frame_of(payload);
  }
  CHECK(writer.size() == expected.size());
  CHECK(stream.writes().empty());
  CHECK(flush(context, writer) == success(expected.size()));
  CHECK(stream.written() == expected);
  CHECK(stream.writes() == std::vector<std::size_t>{1});
  CHECK(writer.size() == 0);
}

TEST_CASE("copied and borrowed payloads keep their order, in one write", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  const std::string a(2000, 'a');
  const std::string b(1024, 'b');
  const std::string c(1023, 'c');
  add(writer, "1");
  add_borrowed(writer, a);
  add_borrowed(writer, b);
  add(writer, "");
  add_borrowed(writer, c);
  add(writer, a);
  const std::string expected = frames_of({"1", a, b, "", c, a});
  CHECK(writer.size() == expected.size());
  CHECK(flush(context, writer) == success(expected.size()));
  CHECK(stream.written() == expected);
  CHECK(stream.writes() == std::vector<std::size_t>{5});
}

TEST_CASE("a batch may begin and end with what is borrowed", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  const std::string large(5000, 'x');
  add_borrowed(writer, large);
  CHECK(flush(context, writer) == success(5002));
  CHECK(stream.written() == frame_of(large));
  CHECK(stream.writes() == std::vector<std::size_t>{2});
}

TEST_CASE("a borrowed payload is written from where it lies, a copied one as it was", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  std::string borrowed(2000, 'x');
  std::string copied(2000, 'x');
  add_borrowed(writer, borrowed);
  add(writer, copied);
  borrowed.assign(2000, 'y');
  copied.assign(2000, 'y');
  flush(context, writer);
  CHECK(stream.written() == frames_of({std::string(2000, 'y'), std::string(2000, 'x')}));
}

TEST_CASE("bytes may be added as frames yields them", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  const std::vector<std::byte> bytes(3000, std::byte{'x'});
  CHECK_FALSE(writer.add(std::span(bytes).first(3)));
  CHECK_FALSE(writer.add_borrowed(bytes));
  flush(context, writer);
  CHECK(stream.written() == frames_of({"xxx", std::string(3000, 'x')}));
}

TEST_CASE("more borrowed payloads than one system call takes are written in order", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor(), {}, 50'000);
  frame_writer writer(stream);
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i != 300; ++i) payloads.emplace_back(1024 + i * 7, static_cast<char>('a' + i % 26));
  for (const auto& payload : payloads) add_borrowed(writer, payload);
  const std::string expected = frames_of(payloads);
  CHECK(flush(context, writer) == success(expected.size()));
  CHECK((stream.written() == expected));
}

TEST_CASE("whatever part the stream takes at once, all is written", "[framing][writer]") {
  const std::string large(1500, 'x');
  const std::string expected = frames_of({"one", large, "", "two"});
  for (const std::size_t chunk : {1UL, 2UL, 3UL, 7UL, 1000UL, 1509UL, 1510UL, 1512UL}) {
    asio::io_context context;
    memory_stream stream(context.get_executor(), {}, chunk);
    frame_writer writer(stream);
    add(writer, "one");
    add_borrowed(writer, large);
    add(writer, "");
    add(writer, "two");
    CHECK(flush(context, writer) == success(expected.size()));
    CHECK((stream.written() == expected));
  }
}

TEMPLATE_TEST_CASE("what is added during a flush leaves with the next", "[framing][writer]", asio::io_context,
                   asio::thread_pool) {
  TestType context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  const std::string large(2000, 'x');
  std::string expected;
  for (int round = 0; round != 5; ++round) {
    add(writer, "one");
    add_borrowed(writer, large);
    auto flushed = writer.async_flush(future_outcome);
    CHECK(writer.size() == 0);
    for (int i = 0; i != 1000; ++i) add(writer, "two");
    CHECK(writer.size() == 5000);
    CHECK(wait(context, std::move(flushed)) == success(2007));
    expected += frames_of({"one", large});
    CHECK((stream.written() == expected));
    CHECK(flush(context, writer) == success(5000));
    for (int i = 0; i != 1000; ++i) expected += frame_of("two");
  }
  CHECK((stream.written() == expected));
}

TEST_CASE("a payload that is too large adds nothing", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream, 1024);
  const std::string large(1025, 'x');
  add(writer, "one");
  CHECK(writer.add(asio::buffer(large)) == errc::frame_too_large);
  CHECK(writer.add_borrowed(asio::buffer(large)) == errc::frame_too_large);
  CHECK(writer.size() == 5);
  add(writer, std::string(1024, 'x'));
  CHECK(flush(context, writer) == success(5 + 1026));
}

TEST_CASE("the limit is at most what the prefix can say", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream, SIZE_MAX);
  static_assert(std::same_as<decltype(writer), frame_writer<memory_stream, length_prefix<>>>);
  CHECK(writer.limit() == 65'535);
  CHECK(writer.add(asio::buffer(std::string(65'536, 'x'))) == errc::frame_too_large);
  add(writer, std::string(65'535, 'x'));
  CHECK(writer.size() == 65'537);
  CHECK(frame_writer<memory_stream, u32>(stream).limit() == 1 << 20);
  CHECK(frame_writer(stream, 3).limit() == 3);
  CHECK(&writer.stream() == &stream);
  CHECK(writer.get_executor() == stream.get_executor());
}

TEST_CASE("a payload larger than memory is refused, whatever the limit", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer<memory_stream, length_prefix<std::uint64_t>> writer(stream, SIZE_MAX);
  const char byte = 'x';
  CHECK(writer.add(asio::const_buffer(&byte, SIZE_MAX)) == errc::frame_too_large);
  CHECK(writer.add_borrowed(asio::const_buffer(&byte, SIZE_MAX - 7)) == errc::frame_too_large);
  CHECK(writer.size() == 0);
  add(writer, "one");
  CHECK_THROWS_AS(writer.add(asio::const_buffer(&byte, writer.limit())), std::length_error);
  CHECK(flush(context, writer) == success(11));
}

TEST_CASE("a flush with nothing to write writes nothing", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  CHECK(flush(context, writer) == success(0));
  CHECK(stream.writes().empty());
  add(writer, "");
  CHECK(flush(context, writer) == success(2));
  CHECK(flush(context, writer) == success(0));
}

TEST_CASE("a null buffer is an empty payload", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  CHECK_FALSE(writer.add(asio::const_buffer()));
  CHECK_FALSE(writer.add_borrowed(std::span<const std::byte>()));
  CHECK(flush(context, writer) == success(4));
}

TEST_CASE("an error tells what had been written, and the batch is dropped", "[framing][writer]") {
  asio::io_context context;
  failing_stream stream(context.get_executor(), 7);
  frame_writer writer(stream);
  const std::string large(2000, 'x');
  add(writer, "one");
  add_borrowed(writer, large);
  CHECK(flush(context, writer) == outcome(asio::error::broken_pipe, 7));
  CHECK(writer.size() == 0);
  CHECK(flush(context, writer) == success(0));
}

TEST_CASE("what a socket takes at once is written without an operation, and the rest by the next flush",
          "[framing][writer]") {
  asio::io_context context;
  socket_pair<asio::local::stream_protocol> sockets(context);
  sockets.first.non_blocking(true);
  frame_writer writer(sockets.first);
  const std::string payload(60'000, 'x');
  std::size_t added = 0, sent = 0;
  std::error_code error;
  for (; writer.size() == 0; ++added) {
    add(writer, payload);
    sent += writer.flush_some(error);
    REQUIRE_FALSE(error);
  }
  REQUIRE(added > 1);
  const std::size_t size = added * (payload.size() + 2);
  CHECK(sent + writer.size() == size);
  CHECK(writer.flush_some(error) == 0);
  CHECK_FALSE(error);
  auto rest = writer.async_flush(future_outcome);
  CHECK(writer.flush_some(error) == 0);
  std::string received(size, '\0');
  auto all = asio::async_read(sockets.second, asio::buffer(received), asio::use_future);
  const auto [failure, bytes] = wait(context, std::move(rest));
  CHECK_FALSE(failure);
  CHECK(bytes == size - sent);
  CHECK(wait(context, std::move(all)) == size);
  const std::string frame = "\xea\x60" + payload;
  for (std::size_t i = 0; i != added; ++i) CHECK(received.compare(i * frame.size(), frame.size(), frame) == 0);
}

TEST_CASE("nothing is written at once to a socket that would block, nor of borrowed payloads", "[framing][writer]") {
  asio::io_context context;
  socket_pair<asio::local::stream_protocol> sockets(context);
  frame_writer writer(sockets.first);
  std::error_code error;
  CHECK(writer.flush_some(error) == 0);
  add(writer, "blocking");
  CHECK(writer.flush_some(error) == 0);
  sockets.first.non_blocking(true);
  CHECK(writer.flush_some(error) == 10);
  const std::string borrowed(5'000, 'x');
  add_borrowed(writer, borrowed);
  CHECK(writer.flush_some(error) == 0);
  CHECK_FALSE(error);
}

TEST_CASE("a socket that is closed by its peer says so at once", "[framing][writer]") {
  asio::io_context context;
  socket_pair<asio::local::stream_protocol> sockets(context);
  sockets.first.non_blocking(true);
  sockets.second.close();
  frame_writer writer(sockets.first);
  add(writer, "unheard");
  std::error_code error;
  CHECK(writer.flush_some(error) == 0);
  CHECK(error == asio::error::broken_pipe);
}

TEST_CASE("a writer may be moved at any time, and then goes on", "[framing][writer]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer first(stream);
  add(first, "one");
  auto flushed = first.async_flush(future_outcome);
  add(first, "two");
  frame_writer second(std::move(first));
  CHECK(wait(context, std::move(flushed)) == success(5));
  first = std::move(second);
  CHECK(flush(context, first) == success(5));
  CHECK(stream.written() == frames_of({"one", "two"}));
}
