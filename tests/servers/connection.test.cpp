// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "../../examples/support/connection.hpp"
#include "../../examples/support/options.hpp"
#include "../../examples/support/roster.hpp"
#include "../../examples/support/stream.hpp"
#include "fuzz/wire.hpp"

namespace {

using connection = example::connection<fuzzing::wire>;
using session = example::awaitable<void>(connection&);

constexpr std::string_view frame("\0\2hi", 4);

// A connection to which a frame comes, without a network, when the test lets it.
class served {
 public:
  explicit served(session& answer) : session_(answer) {
    asio::co_spawn(io_, peer_->run(session_), asio::detached);
    proceed();
  }

  ~served() {
    if (peer_) stream().abandon();
  }

  fuzzing::wire& stream() { return peer_->stream(); }

  std::string written() {
    const auto& bytes = stream().written();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void proceed() {
    io_.restart();
    io_.poll();
  }

  void receive(std::size_t bytes) {
    stream().deliver(bytes);
    proceed();
  }

  void send(std::size_t bytes) {
    stream().accept(bytes);
    proceed();
  }

  void let_time_pass() {
    while (!stream().closed()) sweeper_.sweep(std::chrono::hours(1));
  }

  // Of a connection that has ended.
  const example::traffic& totals() {
    peer_.reset();
    return roster_.totals;
  }

 private:
  session& session_;
  const example::options settings_;
  asio::io_context clock_;  // never runs
  asio::io_context io_;
  example::roster roster_;
  example::sweeper sweeper_{clock_, roster_, settings_.patience};
  std::optional<connection> peer_{
      std::in_place, roster_, settings_, "peer", io_.get_executor(), std::as_bytes(std::span(frame))};
};

example::awaitable<void> reply_and_finish(connection& peer) {
  for (const auto request : co_await peer.read()) peer.reply(request);
}

example::awaitable<void> reply_and_throw(connection& peer) {
  co_await reply_and_finish(peer);
  throw std::system_error(std::make_error_code(std::errc::io_error));
}

}  // namespace

TEST_CASE("replies given before a session throws are sent, and the peer is told of the end", "[examples][connection]") {
  served it(reply_and_throw);
  it.receive(frame.size());
  REQUIRE(it.stream().writing());
  it.send(SIZE_MAX);
  CHECK(it.written() == frame);
  CHECK(it.stream().shut());
  it.receive(0);
  CHECK(it.totals().failed.value() == 1);
}

TEST_CASE("a connection whose last replies cannot be sent has failed, and what was sent of them counts",
          "[examples][connection]") {
  served it(reply_and_finish);
  it.receive(frame.size());
  REQUIRE(it.stream().writing());
  it.send(3);
  it.stream().fail_write(asio::error::broken_pipe);
  it.proceed();
  CHECK_FALSE(it.stream().shut());
  const auto& totals = it.totals();
  CHECK(totals.failed.value() == 1);
  CHECK(totals.bytes_out.value() == 3);
}

TEST_CASE("a connection that took too long has failed, though its request came at that moment",
          "[examples][connection]") {
  served it(reply_and_finish);
  it.receive(frame.size() - 1);
  it.stream().deliver(1);
  it.let_time_pass();
  it.proceed();
  const auto& totals = it.totals();
  CHECK(totals.requests.value() == 1);
  CHECK(totals.timed_out.value() == 1);
  CHECK(totals.failed.value() == 1);
}

TEST_CASE("replies that the stream takes at once are sent without an operation, and the rest of them with one",
          "[examples][connection]") {
  served it(reply_and_finish);
  it.stream().accept(3);
  it.receive(frame.size());
  CHECK(it.written() == frame.substr(0, 3));
  REQUIRE(it.stream().writing());
  it.send(SIZE_MAX);
  CHECK(it.written() == frame);
  CHECK(it.stream().shut());
  it.receive(0);
  const auto& totals = it.totals();
  CHECK(totals.failed.value() == 0);
  CHECK(totals.bytes_out.value() == frame.size());
}

TEST_CASE("a connection whose replies are refused at once has failed", "[examples][connection]") {
  served it(reply_and_finish);
  it.stream().fail_write(asio::error::broken_pipe);
  it.receive(frame.size());
  CHECK_FALSE(it.stream().writing());
  CHECK_FALSE(it.stream().shut());
  CHECK(it.totals().failed.value() == 1);
}
