// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A session on frame_reader and frame_writer, a resource, and a stream in memory, step by step: what it writes is what
// the naive decoder says of what had been delivered to it.
//
// The input:  kind, limit (2 bytes), buffer size, frames at once, repeats, number of steps, steps..., what the peer
// sends A step has its kind in the upper three bits and an argument in the others. When there are no more, all that can
// happen does, to the end.

#include <algorithm>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <system_error>
#include <vector>

#include "answers.hpp"
#include "async_resource/async_resource.hpp"
#include "async_resource/framing/frame_reader.hpp"
#include "async_resource/framing/frame_writer.hpp"
#include "async_resource/framing/length_prefix.hpp"
#include "naive_decoder.hpp"
#include "script.hpp"
#include "wire.hpp"

namespace {

using namespace fuzzing;
using asyncres::framing::frame_reader;
using asyncres::framing::frame_writer;
using asyncres::framing::frames;
using asyncres::framing::length_prefix;

constexpr std::size_t unlimited = SIZE_MAX;
constexpr std::size_t reply_limit = 8192;

struct settings {
  frame_format format;
  std::size_t limit;
  std::size_t buffer_size;
  std::size_t max_frames;
  std::size_t repeats;
  bool borrow;
};

template <class Prefix>
class session_test {
 public:
  session_test(const settings& chosen, bytes steps, bytes input)
      : chosen_(chosen),
        steps_(steps),
        wire_(io_.get_executor(), input),
        answers_(home_.get_executor(), chosen.repeats) {}

  ~session_test() { wire_.abandon(); }

  void run() {
    auto ended = [this](std::exception_ptr failure) { end(failure); };
    asio::co_spawn(io_, serve(), asio::bind_cancellation_slot(session_.slot(), ended));
    settle();
    for (const std::byte step : steps_) {
      if (ended_ || abandoned_) break;
      perform(std::to_integer<unsigned>(step) >> 5, std::to_integer<std::size_t>(step) & 31);
      settle();
    }
    while (!ended_ && !abandoned_) let_all_happen();
    check_written();
  }

 private:
  // The server.

  asio::awaitable<void> serve() {
    for (;;) {
      const auto requests = co_await read();
      auto answer_all = [requests](answerer& it) {
        std::vector<reply> replies;
        for (const bytes request : requests) replies.push_back(it.answer(request));
        return replies;
      };
      const auto replies = co_await answers_.async_invoke(std::move(answer_all));
      const auto error = add(replies);
      co_await writer_.async_flush(asio::use_awaitable);
      if (error) throw std::system_error(error);
    }
  }

  // A read that is cancelled alone has lost nothing, and is repeated.
  asio::awaitable<frames<Prefix>> read() {
    for (;;) {
      auto token = asio::bind_cancellation_slot(read_only_.slot(), asio::as_tuple(asio::use_awaitable));
      const auto [error, requests] = co_await reader_.async_read_frames(token);
      if (!error) co_return requests;
      if (error != asio::error::operation_aborted || cancelled_) throw std::system_error(error);
    }
  }

  std::error_code add(const std::vector<reply>& replies) {
    for (const reply& each : replies) {
      const auto payload = asio::buffer(each);
      if (const auto error = chosen_.borrow ? writer_.add_borrowed(payload) : writer_.add(payload)) return error;
    }
    return {};
  }

  void end(std::exception_ptr failure) {
    check(failure != nullptr, "a session ends by what it throws");
    ended_ = true;
    try {
      std::rethrow_exception(failure);
    } catch (const std::system_error& thrown) {
      reason_ = thrown.code();
    }
  }

  // What happens to it.

  void settle() {
    io_.restart();
    io_.poll();
    check_reader();
  }

  void perform(unsigned kind, std::size_t argument) {
    const std::size_t size = argument == 31 ? unlimited : argument + 1;
    switch (kind) {
      case 0: return read_some(size);
      case 1: return read_some(32 * size);
      case 2: return write_some(size);
      case 3: return write_some(32 * size);
      case 4: return home(argument);
      case 5: return fail(argument);
      case 6: return cancel(argument);
      default: abandoned_ = argument == 31;
    }
  }

  void read_some(std::size_t size) {
    if (wire_.reading()) wire_.deliver(size);
  }

  void write_some(std::size_t size) {
    if (wire_.writing()) wire_.accept(size);
  }

  void home(std::size_t functions) {
    home_.restart();
    if (functions == 0)
      home_.poll();
    else
      home_.poll_one();
  }

  void fail(std::size_t what) {
    if (what % 2 == 0 && wire_.reading()) wire_.fail_read(read_error_ = asio::error::connection_reset);
    if (what % 2 == 1 && wire_.writing()) wire_.fail_write(write_error_ = asio::error::broken_pipe);
  }

  void cancel(std::size_t what) {
    switch (what % 8) {
      case 0: return cancel_session();
      case 1: return read_only_.emit(asio::cancellation_type::partial);
      case 2: return read_only_.emit(asio::cancellation_type::total);
      case 3: return read_only_.emit(asio::cancellation_type::terminal);
      case 4: return session_.emit(asio::cancellation_type::partial);
      case 5: return session_.emit(asio::cancellation_type::total);
      case 6: return cancel_functions();
      default: return;
    }
  }

  void cancel_session() {
    cancelled_ = true;
    read_only_.emit(asio::cancellation_type::terminal);
    session_.emit(asio::cancellation_type::terminal);
  }

  void cancel_functions() {
    cancelled_ = true;
    answers_.cancel();
  }

  void let_all_happen() {
    const bool waiting = wire_.reading() || wire_.writing();
    read_some(unlimited);
    write_some(unlimited);
    home_.restart();
    const bool busy = home_.poll() != 0;
    settle();
    check(waiting || busy || ended_, "a connection that has not ended waits for something");
  }

  // What must hold.

  void check_reader() {
    if (!wire_.reading()) return;
    const auto got = decode_naively(chosen_.format, wire_.delivered());
    check(reader_.between_frames() == got.rest.empty(), "the reader knows whether it is between frames");
    check(!got.too_large, "nothing is read behind a frame that is too large");
    const std::size_t grown = std::min(2 * got.rest.size(), chosen_.format.prefix_size + got.announced);
    capacity_ = std::max(capacity_, grown);
    check(wire_.room() != 0, "there is room for what is read");
    check(got.rest.size() + wire_.room() <= capacity_, "the buffer grows with what has arrived, to what was announced");
  }

  void check_written() {
    const auto got = decode_naively(chosen_.format, wire_.delivered());
    const auto expected = expect_replies(chosen_.format, reply_limit, chosen_.repeats, got);
    const bytes written(wire_.written());
    check(written.size() <= expected.stream.size(), "no more is written than was asked for");
    check(std::ranges::equal(written, bytes(expected.stream).first(written.size())), "the replies come in order");
    if (cancelled_ || abandoned_) return;
    if (write_error_) return check(reason_ == write_error_, "a session ends with the error of a write");
    check(written.size() == expected.stream.size(), "what arrived whole is answered");
    check(reason_ == reason_for(got, expected), "a session ends for the reason there is");
  }

  std::error_code reason_for(const naive_frames& got, const expected_replies& expected) const {
    if (expected.error) return expected.error;
    if (got.too_large) return got.error();
    if (read_error_) return read_error_;
    return got.rest.empty() ? asio::error::eof : got.finish();
  }

  const settings chosen_;
  const bytes steps_;
  std::size_t capacity_ = std::max(chosen_.buffer_size, chosen_.format.prefix_size);
  bool ended_ = false;
  bool abandoned_ = false;
  bool cancelled_ = false;
  std::error_code read_error_;
  std::error_code write_error_;
  std::error_code reason_;

  asio::cancellation_signal session_;
  asio::cancellation_signal read_only_;
  asio::io_context home_;
  asio::io_context io_;
  wire wire_;
  asyncres::async_resource<asio::io_context::executor_type, answerer> answers_;
  frame_reader<wire, Prefix> reader_{
      wire_, {.limit = chosen_.limit, .buffer_size = chosen_.buffer_size, .max_frames = chosen_.max_frames}};
  frame_writer<wire, Prefix> writer_{wire_, reply_limit};
};

template <class Length, std::endian Order = std::endian::big>
void run(script input, bool borrow) {
  const std::size_t low = input.byte();
  const std::size_t limit = low + 256 * input.byte();
  const std::size_t buffer_size = input.byte();
  const std::size_t max_frames = input.byte();
  const std::size_t longest = PTRDIFF_MAX - sizeof(Length);  // that a buffer can hold
  const settings chosen{.format = {sizeof(Length), Order == std::endian::big, limit == 0xffff ? longest : limit},
                        .limit = limit == 0xffff ? unlimited : limit,
                        .buffer_size = buffer_size == 0xff ? 16 * 1024 : buffer_size,
                        .max_frames = std::max<std::size_t>(max_frames, 1),
                        .repeats = 1 + input.byte() % 64,
                        .borrow = borrow};
  const bytes steps = input.take(input.byte());
  session_test<length_prefix<Length, Order>>(chosen, steps, input.rest()).run();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  script input(data, size);
  const std::size_t kind = input.byte();
  const bool borrow = kind >= 128;
  switch (kind % 4) {
    case 0: run<std::uint64_t>(input, borrow); break;
    case 1: run<std::uint32_t, std::endian::little>(input, borrow); break;
    default: run<std::uint16_t>(input, borrow);
  }
  return 0;
}
