// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../../examples/support/connection.hpp"
#include "../../examples/support/in_order.hpp"
#include "../../examples/support/options.hpp"
#include "../../examples/support/roster.hpp"
#include "../../examples/support/stream.hpp"
#include "fuzz/later.hpp"
#include "fuzz/wire.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using connection = example::connection<fuzzing::wire>;
using session = example::awaitable<void>(connection&);

constexpr std::string_view frame("\0\2hi", 4);

// The replies of a session that reads on.
std::vector<fuzzing::later> due;

// A connection to which frames come, without a network, when the test lets them.
class served {
 public:
  explicit served(session& answer, std::string_view input = frame)
      : peer_(std::in_place, roster_, settings_, "peer", io_.get_executor(), std::as_bytes(std::span(input))),
        session_(answer) {
    asio::co_spawn(io_, peer_->run(session_), asio::detached);
    proceed();
  }

  ~served() {
    if (peer_) stream().abandon();
    due.clear();
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

  // A day, unless it is closed before.
  void let_time_pass() {
    const auto end = roster_.now + std::chrono::hours(24);
    while (!stream().closed() && roster_.now < end) sweeper_.sweep(std::chrono::hours(1));
  }

  // Of a connection that has ended.
  const example::traffic& totals() {
    peer_.reset();
    return roster_.totals;
  }

 private:
  const example::options settings_;
  asio::io_context clock_;  // never runs
  asio::io_context io_;
  example::roster roster_;
  example::sweeper sweeper_{clock_, roster_, settings_.patience};
  std::optional<connection> peer_;
  session& session_;
};

example::awaitable<void> reply_and_finish(connection& peer) {
  for (const auto request : co_await peer.read()) peer.reply(request);
}

example::awaitable<void> reply_and_throw(connection& peer) {
  co_await reply_and_finish(peer);
  throw std::system_error(std::make_error_code(std::errc::io_error));
}

// Answers when the test says so, in a session that reads on.
fuzzing::later begin() {
  static std::size_t waited_for = 0;
  return due.emplace_back(waited_for);
}

void give(std::size_t which) {
  due[which].give(nullptr, fuzzing::reply{std::byte{'0'} | std::byte(which)});
}

// What it was that such a session has thrown.
std::exception_ptr thrown;

example::awaitable<void> reply_later(connection& peer) try {
  due.clear();
  const auto start = [](auto next, auto end, std::vector<fuzzing::later>& started) -> example::awaitable<void> {
    for (; next != end; ++next) started.push_back(begin());
    co_return;
  };
  const auto requests = co_await peer.read();
  const auto next = std::next(requests.begin());
  co_await example::in_order<fuzzing::later, connection, decltype(start)>(peer, start)
      .run(begin(), next, requests.end());
} catch (...) {
  thrown = std::current_exception();
  throw;
}

constexpr std::string_view requests("\0\1a\0\1b\0\1c", 9);
constexpr std::string_view replies("\0\0010\0\0011\0\0012", 9);

}  // namespace

TEST_CASE("requests that come while replies are owed start at once, and replies leave in order",
          "[examples][connection]") {
  served it(reply_later, requests);
  it.stream().accept(SIZE_MAX);
  it.receive(3);
  it.receive(6);
  REQUIRE(due.size() == 3);
  give(1);
  it.proceed();
  CHECK(it.written().empty());
  give(0);
  it.proceed();
  CHECK(it.written() == replies.substr(0, 6));
  it.receive(0);
  CHECK_FALSE(it.stream().shut());
  give(2);
  it.proceed();
  CHECK(it.written() == replies);
  CHECK(it.stream().shut());
  it.receive(0);
  CHECK(it.totals().failed.value() == 0);
}

TEST_CASE("a connection that owes a reply may take any time, though a part of a request came meanwhile",
          "[examples][connection]") {
  served it(reply_later, requests);
  it.stream().accept(SIZE_MAX);
  it.receive(4);
  it.let_time_pass();
  CHECK_FALSE(it.stream().closed());
  give(0);
  it.proceed();
  CHECK(it.written() == replies.substr(0, 3));
  it.let_time_pass();
  it.proceed();
  const auto& totals = it.totals();
  CHECK(totals.timed_out.value() == 1);
  CHECK(totals.failed.value() == 1);
}

TEST_CASE("a peer that does not read its replies is given up, though it asks for more meanwhile",
          "[examples][connection]") {
  served it(reply_later, requests);
  it.receive(6);
  give(0);
  it.proceed();
  REQUIRE(it.stream().writing());
  it.receive(3);
  REQUIRE(due.size() == 3);
  it.let_time_pass();
  it.proceed();
  const auto& totals = it.totals();
  CHECK(totals.timed_out.value() == 1);
  CHECK(totals.failed.value() == 1);
}

TEST_CASE("a connection that owes a reply may take any time, though nothing can be read any more",
          "[examples][connection]") {
  served it(reply_later, requests.substr(0, 4));
  it.stream().accept(SIZE_MAX);
  it.receive(4);
  it.receive(0);
  CHECK_FALSE(it.stream().reading());
  it.let_time_pass();
  CHECK_FALSE(it.stream().closed());
  give(0);
  it.proceed();
  CHECK(it.written() == replies.substr(0, 3));
  CHECK(it.stream().shut());
  it.receive(0);
  const auto& totals = it.totals();
  CHECK(totals.timed_out.value() == 0);
  CHECK(totals.failed.value() == 1);
}

TEST_CASE("a reply that cannot be sent ends the reading, and what is due is dropped", "[examples][connection]") {
  served it(reply_later, requests);
  it.receive(6);
  it.stream().fail_write(asio::error::broken_pipe);
  give(0);
  it.proceed();
  REQUIRE(due.size() == 2);
  CHECK(due[1].dropped());
  CHECK_FALSE(it.stream().reading());
  CHECK(it.totals().failed.value() == 1);
}

TEST_CASE("what a peer waits for is dropped when it resets the connection", "[examples][connection]") {
  served it(reply_later, requests);
  it.stream().accept(SIZE_MAX);
  it.receive(9);
  give(0);
  it.proceed();
  it.stream().fail_read(asio::error::connection_reset);
  it.proceed();
  REQUIRE(due.size() == 3);
  CHECK(due[1].dropped());
  CHECK(due[2].dropped());
  CHECK_THROWS_WITH(std::rethrow_exception(thrown), ContainsSubstring("reset"));
  CHECK(it.totals().failed.value() == 1);
}

TEST_CASE("an error of the app is told, though the peer resets the connection at that moment",
          "[examples][connection]") {
  const bool reset_first = GENERATE(false, true);
  CAPTURE(reset_first);
  served it(reply_later, requests);
  it.receive(6);
  if (reset_first) it.stream().fail_read(asio::error::connection_reset);
  due[0].give(std::make_exception_ptr(std::runtime_error("of the app")), {});
  if (!reset_first) it.stream().fail_read(asio::error::connection_reset);
  it.proceed();
  CHECK_THROWS_WITH(std::rethrow_exception(thrown), "of the app");
}

TEST_CASE("no more is read when as many replies are due as may be in flight, and the requests on top are started",
          "[examples][connection]") {
  std::string many;
  for (int i = 0; i != 100; ++i) many += requests.substr(0, 3);
  served it(reply_later, many);
  it.receive(300);
  CHECK(due.size() == 2 * example::options().in_flight);
  CHECK_FALSE(it.stream().reading());
}

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
