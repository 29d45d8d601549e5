// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Readers and writers of frames where memory runs out. Replaces operator new, hence a program of its own.

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "async_resource/framing.hpp"
#include "support/framing.hpp"
#include "support/memory_stream.hpp"
#include "support/scripted_stream.hpp"

namespace {

// The smallest allocation that fails, and how many such succeed before; none fails below zero.
std::size_t threshold = 0;
int successes = -1;

}  // namespace

void* operator new(std::size_t size) {
  if (successes >= 0 && size >= threshold && successes-- == 0) throw std::bad_alloc();
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

using namespace asyncres::framing;
using namespace testing;

const std::error_code no_memory = std::make_error_code(std::errc::not_enough_memory);

/// From here on, one allocation of at least `size` bytes fails, after `others` that do not.
void starve(std::size_t size, int others = 0) {
  threshold = size;
  successes = others;
}

/// Whether it has failed; if not, it no longer will.
bool starved() {
  return std::exchange(successes, -1) < 0;
}

}  // namespace

TEST_CASE("a reader that finds no memory to grow says so, and may be called again", "[framing][out_of_memory]") {
  asio::io_context context;
  const std::string large(1000, 'x');
  scripted_stream stream(context.get_executor(), {frames_of({"one", large, "two"})});
  frame_reader reader(stream, {.buffer_size = 200});
  const auto read = [&] { return wait(context, reader.async_read_frames(future_outcome)); };
  CHECK(strings(std::get<1>(read())) == std::vector<std::string>{"one"});

  // After a read, before one, and once more on the way.
  for (const std::size_t size : {400UL, 400UL, 800UL}) {
    starve(size);
    const auto [error, frames] = read();
    CHECK(starved());
    CHECK(error == no_memory);
    CHECK(frames.empty());
    CHECK_FALSE(reader.between_frames());
  }
  CHECK(strings(std::get<1>(read())) == std::vector<std::string>{large});
  CHECK(strings(std::get<1>(read())) == std::vector<std::string>{"two"});
  CHECK(std::get<0>(read()) == asio::error::eof);
}

TEST_CASE("a payload that there is no memory for adds nothing", "[framing][out_of_memory]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  const std::string large(2000, 'x');
  std::string expected;
  for (int round = 0; round != 100; ++round)
    for (int others = 0; others != 3; ++others) {
      const bool borrowed = round % 2 == 0;
      const std::size_t size = writer.size();
      starve(0, others);
      try {
        const auto error = borrowed ? writer.add_borrowed(asio::buffer(large)) : writer.add(asio::buffer(large, 1000));
        starved();
        REQUIRE_FALSE(error);
        expected += frame_of(borrowed ? large : large.substr(0, 1000));
      } catch (const std::bad_alloc&) {
        if (writer.size() != size) FAIL("something has been added");
      }
    }
  CHECK(writer.size() == expected.size());
  wait(context, writer.async_flush(future_outcome));
  CHECK((stream.written() == expected));
}

TEST_CASE("a flush that there is no memory for says so, and may be repeated", "[framing][out_of_memory]") {
  asio::io_context context;
  memory_stream stream(context.get_executor());
  frame_writer writer(stream);
  const std::string large(2000, 'x');
  REQUIRE_FALSE(writer.add_borrowed(asio::buffer(large)));
  std::error_code error;
  starve(0);
  writer.async_flush([&](std::error_code e, std::size_t) { error = e; });
  CHECK(starved());
  context.run();
  CHECK(error == no_memory);
  CHECK(stream.writes().empty());
  REQUIRE_FALSE(writer.add(asio::buffer("one", 3)));
  CHECK(wait(context, writer.async_flush(future_outcome)) == success(2007));
  CHECK((stream.written() == frames_of({large, "one"})));
}
