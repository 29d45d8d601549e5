// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A connection of the server kit, step by step: a stream in memory, a session that may stop by itself, time that
// passes, a drain. What it writes is what the naive decoder says of what had been delivered to it; it ends in time, and
// tells why.
//
// The input:  flags, limit (2 bytes), frames at once, repeats, where the session stops, time-outs (5 bytes), number of
//             steps, steps..., what the peer sends: a byte of handshake, and frames
// A step has its kind in the upper three bits; the next says that the server has not noticed the step before it yet;
// the others are an argument. When there are no more, all that can happen does, to the end.

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "../../examples/support/connection.hpp"
#include "../../examples/support/options.hpp"
#include "../../examples/support/roster.hpp"
#include "answers.hpp"
#include "async_resource/error.hpp"
#include "naive_decoder.hpp"
#include "patience.hpp"
#include "script.hpp"
#include "session.hpp"
#include "wire.hpp"

namespace {

using namespace fuzzing;
using example::phase;

constexpr std::size_t unlimited = SIZE_MAX;
constexpr std::size_t handshake_size = 1;

struct settings {
  example::options server;
  session_settings session;
  bool silent;  // once there are no more steps, the peer does nothing as long as there is a time-out
};

class connection_test {
 public:
  /// Time passes by sweep() alone: the clock is not to run meanwhile.
  connection_test(asio::io_context& clock, const settings& chosen, bytes steps, bytes input)
      : chosen_(chosen), steps_(steps), input_(input), sweeper_(clock, roster_, chosen.server.patience) {
    peer_.emplace(roster_, chosen_.server, "peer", io_.get_executor(), input_);
  }

  ~connection_test() {
    if (peer_) stream().abandon();
  }

  void run() {
    asio::co_spawn(io_, peer_->run(session_), [this](std::exception_ptr failure) {
      check(!failure, "what a session throws is told, not thrown");
      ended_ = true;
    });
    settle();
    for (const std::byte each : steps_) {
      const auto step = std::to_integer<unsigned>(each);
      if ((step & 16) == 0) settle();
      if (ended_ || abandoned_) break;
      perform(step >> 5, step & 15);
    }
    settle();
    while (!ended_ && !abandoned_) let_all_happen();
    while (chosen_.session.reads_on && run_home(0)) settle();  // what has been dropped
    check_written();
    if (ended_) check_end();
  }

 private:
  wire& stream() { return peer_->stream(); }

  // What happens to it.

  void settle() {
    io_.restart();
    io_.poll();
    if (ended_) return;
    check(!stream().shut() || !stream().writing(), "nothing is written behind the end");
    patience_.note(waits_for(), session_.progress());
  }

  phase waits_for() {
    if (stream().writing()) return phase::peer_to_read;
    if (!stream().reading() || session_.owes()) return phase::serving;
    if (stream().shut()) return phase::goodbye;
    if (heard_ == 0) return phase::handshake;
    return requests().rest.empty() ? phase::idle : phase::rest_of_frame;
  }

  void perform(unsigned kind, std::size_t argument) {
    const std::size_t size = argument == 15 ? unlimited : argument + 1;
    switch (kind) {
      case 0: return read_some(size);
      case 1: return read_some(16 * size);
      case 2: return write_some(size);
      case 3: return write_some(16 * size);
      case 4: run_home(argument); return;
      case 5: return argument % 2 == 0 ? fail_read() : fail_write();
      case 6: return argument < 8 ? pass(std::chrono::milliseconds(10)) : pass(std::chrono::hours(1));
      default: return argument == 15 ? abandon() : sweeper_.drain();
    }
  }

  void read_some(std::size_t size) {
    if (!stream().reading()) return;
    stream().deliver(size);
    if (!stream().shut()) heard_ = stream().delivered().size();
  }

  void write_some(std::size_t size) { stream().accept(size); }

  bool run_home(std::size_t functions) {
    home_.restart();
    return (functions == 0 ? home_.poll() : home_.poll_one()) != 0;
  }

  void fail_read() {
    if (!stream().reading()) return;
    stream().fail_read(asio::error::connection_reset);
    if (stream().shut()) return;
    read_error_ = asio::error::connection_reset;
    dropped_ = session_.has_due();
  }

  void fail_write() {
    if (stream().writing()) stream().fail_write(write_error_ = asio::error::broken_pipe);
  }

  void abandon() { abandoned_ = true; }

  void pass(example::watched::time passed) {
    sweeper_.sweep(passed);
    if (closed_in_) return;
    if (stream().closed()) closed_in_ = patience_.waits_for();
    patience_.pass(passed, stream().closed());
  }

  void let_all_happen() {
    const bool waiting = stream().reading() || stream().writing();
    if (chosen_.silent && waiting && patience_.is_limited()) {
      pass(std::chrono::hours(1));
    } else {
      read_some(unlimited);
      if (stream().writing()) write_some(unlimited);
    }
    const bool busy = run_home(0);
    settle();
    check(waiting || busy || ended_, "a connection that has not ended waits for something");
  }

  // What must hold.

  const naive_frames& requests() {
    if (heard_ != decoded_) {
      decoded_ = heard_;
      requests_ = decode_naively(format_, bytes(input_).first(heard_).subspan(std::min(heard_, handshake_size)));
    }
    return requests_;
  }

  expected_replies replies() {
    auto asked = requests();
    if (asked.payloads.size() > chosen_.session.stop_at) asked.payloads.resize(chosen_.session.stop_at);
    return expect_replies(format_, format_.limit, chosen_.session.repeats, asked);
  }

  void check_written() {
    const auto expected = replies().stream;
    const bytes written(stream().written());
    check(written.size() <= expected.size(), "no more is written than was asked for");
    check(written.empty() || std::memcmp(written.data(), expected.data(), written.size()) == 0,
          "the replies come in order");
    const bool cut = abandoned_ || write_error_ || dropped_ || (stream().closed() && !stream().shut());
    if (!cut) check(written.size() >= expected.size(), "what arrived whole is answered");
  }

  void check_end() {
    check(io_.stopped() && !run_home(0) && home_.stopped(), "nothing is left to do");
    check_reason();
    const bool closed = stream().closed();
    const auto written = stream().written().size();
    peer_.reset();
    const auto& totals = roster_.totals;
    check(roster_.connections.empty(), "a connection that has ended is gone");
    check(totals.timed_out.value() == closed, "a time-out is counted");
    check(totals.failed.value() == failed(), "a failure is counted");
    const auto taken = static_cast<std::size_t>(totals.requests.value());
    const std::size_t not_started = chosen_.session.reads_on ? chosen_.server.in_flight : 0;  // read as it ended
    check(taken >= session_.taken() && taken <= session_.taken() + not_started, "the requests are counted");
    check(totals.bytes_in.value() == size_of(taken), "what has come is counted");
    check(totals.bytes_out.value() == written, "what has gone is counted");
  }

  std::size_t size_of(std::size_t taken) {
    const auto& asked = requests();
    check(taken <= asked.payloads.size(), "no more is taken than has come");
    std::size_t size = 2 * taken;
    for (std::size_t i = 0; i != taken; ++i) size += asked.payloads[i].size();
    return size;
  }

  void check_reason() {
    const auto& end = session_.end();
    if (!end || !end->in_time || (write_error_ && end->error == write_error_)) return;
    const auto& got = requests();
    if (dropped_ && end->error == read_error_) return;
    if (drained())
      check(roster_.draining && got.rest.empty(), "a drain ends what waits for a request");
    else
      check(end->error == reason_for(got), "a session ends for the reason there is");
    check(stream().shut() || stream().closed() || write_error_, "the peer is told of the end");
  }

  bool drained() const { return session_.end()->error == asio::error::operation_aborted; }

  std::error_code reason_for(const naive_frames& got) {
    if (const auto error = replies().error) return error;
    if (got.payloads.size() > chosen_.session.stop_at) return session::error_of(chosen_.session.how);
    if (got.too_large) return got.error();
    if (read_error_) return read_error_;
    return got.rest.empty() ? asio::error::eof : got.finish();
  }

  bool failed() const {
    if (write_error_) return true;
    if (closed_in_ && closed_in_ != phase::idle && closed_in_ != phase::goodbye) return true;
    const auto& end = session_.end();
    if (!end) return bool(read_error_);
    if (!end->error) return end->threw;
    return end->in_time && end->error != asio::error::eof && !drained();
  }

  const settings chosen_;
  const frame_format format_{2, true, chosen_.server.limit};
  const bytes steps_;
  const bytes input_;

  bool ended_ = false;
  bool abandoned_ = false;
  std::size_t heard_ = 0;  // until the goodbye
  std::size_t decoded_ = unlimited;
  naive_frames requests_;
  std::error_code read_error_;  // before the goodbye
  bool dropped_ = false;        // what was due then
  std::error_code write_error_;
  std::optional<phase> closed_in_;
  patience patience_{chosen_.server.patience};

  asio::io_context io_;
  asio::io_context home_;  // goes first, since what it has not run yet refers to the other
  example::roster roster_;
  example::sweeper sweeper_;
  session session_{home_.get_executor(), chosen_.session};
  std::optional<session::peer_type> peer_;
};

settings choose(script& input) {
  const std::size_t flags = input.byte();
  settings chosen{};
  chosen.session.how = static_cast<stop>(flags & 3);
  chosen.session.at_home = (flags & 4) != 0;
  chosen.silent = (flags & 8) != 0;
  chosen.server.log = (flags & 16) != 0;
  chosen.session.reads_on = (flags & 32) != 0;
  chosen.server.limit = input.byte();
  chosen.server.limit += 256 * input.byte();
  chosen.server.in_flight = std::max<std::size_t>(input.byte(), 1);
  chosen.session.repeats = 1 + input.byte() % 64;
  const std::size_t stop_at = input.byte();
  chosen.session.stop_at = stop_at == 0xff ? unlimited : stop_at;
  auto& times = chosen.server.patience;
  for (auto* const each : {&times.handshake, &times.idle, &times.read, &times.write, &times.linger})
    *each = example::seconds(0.25) * (input.byte() % 16);
  return chosen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  script input(data, size);
  const settings chosen = choose(input);
  const bytes steps = input.take(input.byte());
  static asio::io_context clock;  // for all: each takes descriptors
  connection_test(clock, chosen, steps, input.rest()).run();
  clock.restart();
  clock.poll();  // what was cancelled
  return 0;
}
