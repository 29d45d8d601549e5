// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKEN_CASES_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKEN_CASES_HPP

#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <asio/cancellation_type.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include "support/contract_kinds.hpp"
#include "support/contract_token_rows.hpp"
#include "support/contract_tokens.hpp"

// Promise 4: every token, against each promise that it touches. The table is contract_token_rows.hpp. For a file that
// says which kinds of place these are the tests of: ASYNC_RESOURCE_CONTRACT_KINDS, of contract_kinds.hpp.

using asyncres::close_mode;
using asyncres::errc;
using asyncres::on_failure;
using asyncres::resource_options;
using testing::token_bench;
using testing::token_row;

namespace {

const std::error_code success;
const std::error_code failure = std::make_error_code(std::errc::io_error);

template <class Bench>
token_row<Bench> row() {
  static const auto table = testing::token_rows<Bench>();
  const std::size_t size = table.size();
  return table[GENERATE_COPY(range(std::size_t(0), size))];
}

// One operation on a bench, by one row of the table.
template <class Kind>
struct trial {
  static constexpr bool on_lease = std::is_same_v<Kind, testing::on_lease>;
  using place = typename token_row<token_bench<Kind>>::place;

  explicit trial(resource_options options = {}, bool threaded = GENERATE(false, true))
      : token(row<token_bench<Kind>>()), t(threaded, options), in_steps(!threaded) {}

  void start(std::error_code thrown = {}) {
    t.starting = true;
    token.start(t, [this, thrown, alive = alive](int&) {
      ++calls;
      strays += !t.at_home();
      if (thrown) throw std::system_error(thrown);
      return 7;
    });
    t.starting = false;
  }

  static auto another(std::error_code thrown = {}) {
    return [thrown](int&) {
      if (thrown) throw std::system_error(thrown);
    };
  }

  // With home standing still.
  void check_told_at_once(std::error_code expected) {
    t.poll_callers();
    CHECK(t.times == 1);
    CHECK(t.told == expected);
  }

  // In the end: what was told, once, and where.
  void check(std::error_code expected, int expected_calls) {
    t.run();
    CHECK(calls == expected_calls);
    CHECK(strays == 0);
    CHECK(alive.use_count() == 1);
    if (!token.tells) return;
    CHECK(t.times == 1);
    CHECK(t.told == expected);
    CHECK(t.result == (expected ? 0 : 7));
    if (in_steps && token.where != place::anywhere) CHECK(t.times_while_open == 1);
    CHECK_FALSE(t.while_held);
    const bool immediate = token.immediate && (expected == errc::queue_full || expected == errc::closed);
    CHECK(t.inside == immediate);
    if (token.where == place::callers) CHECK(t.in_callers);
    if (token.where == place::home && !immediate) CHECK(t.in_home);
  }

  const std::shared_ptr<int> alive = std::make_shared<int>();
  token_row<token_bench<Kind>> token;
  token_bench<Kind> t;
  const bool in_steps;  // Home, too, is a context that the test runs.
  std::atomic<int> calls{0}, strays{0};
};

}  // namespace

TEMPLATE_TEST_CASE("every token: the function is called once, and its result told once, where it should be",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  op.start();
  op.check(success, 1);
}

TEMPLATE_TEST_CASE("every token: what the function throws is told", "[async_resource][contract][tokens]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  if (!op.token.tells_failures) return;
  op.start(failure);
  op.check(failure, 1);
}

TEMPLATE_TEST_CASE("every token: started at home, within a function, an operation waits until that has returned",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op({}, false);
  CAPTURE(op.token.name);
  int calls_meanwhile = 0, times_meanwhile = 0;
  op.t.door().async_invoke(
      [&](int&) {
        op.start();
        op.t.poll_callers();
        calls_meanwhile = op.calls, times_meanwhile = op.t.times;
      },
      asio::detached);
  op.check(success, 1);
  CHECK(calls_meanwhile + times_meanwhile == 0);
}

TEMPLATE_TEST_CASE("every token: started on the handler's context, an operation is told later",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  asio::post(op.t.callers, [&] { op.start(); });
  op.check(success, 1);
}

TEMPLATE_TEST_CASE("every token with a slot: cancelled while queued, an operation is aborted, its function uncalled",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  if (!op.token.cancels) return;
  op.start();
  op.t.poll_callers();
  op.t.signal.emit(asio::cancellation_type::total);
  CHECK(op.t.times == 0);
  if (op.token.at_once) op.check_told_at_once(asio::error::operation_aborted);
  op.check(asio::error::operation_aborted, 0);
}

TEMPLATE_TEST_CASE("every token with a slot: cancelled too late, an operation has completed",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  if (!op.token.cancels) return;
  op.start();
  op.check(success, 1);
  op.t.signal.emit(asio::cancellation_type::total);
  op.check(success, 1);
}

TEMPLATE_TEST_CASE("every token: cancel() aborts what is queued", "[async_resource][contract][tokens]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  if (!op.token.tells_failures) return;
  op.start();
  op.t.poll_callers();
  op.t.resource->cancel();
  op.check(asio::error::operation_aborted, 0);
}

TEMPLATE_TEST_CASE("every token: beyond max_pending an operation is refused as queue_full",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op(resource_options{.max_pending = 1});
  CAPTURE(op.token.name);
  if (!op.token.tells_failures) return;
  op.t.resource->async_invoke(op.another(), asio::detached);
  op.start();
  if (op.on_lease) return op.check(success, 1);  // Its functions need no place.
  if (op.token.tells && op.token.at_once) op.check_told_at_once(errc::queue_full);
  op.check(errc::queue_full, 0);
}

TEMPLATE_TEST_CASE("every token: once the resource is closed, an operation is refused as closed",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  if (!op.token.tells_failures) return;
  op.t.resource->async_close(GENERATE(close_mode::drain, close_mode::cancel), asio::detached);
  op.start();
  if (op.on_lease) return op.check(success, 1);  // Its functions still run, until it ends.
  if (op.token.tells && op.token.at_once) op.check_told_at_once(errc::closed);
  op.check(errc::closed, 0);
}

TEMPLATE_TEST_CASE("every token: once home has gone, an operation is refused as closed",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  // Without an executor it is told by a system thread, which is awaited in nothing_lost.test.cpp.
  if (!op.token.tells_failures || op.token.needs_home ||
      (op.token.where == decltype(op)::place::home && !op.token.immediate))
    return;
  op.t.destroy_home();
  op.start();
  op.check(errc::closed, 0);
}

TEMPLATE_TEST_CASE("every token: a close that cancels aborts what is queued", "[async_resource][contract][tokens]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op;
  CAPTURE(op.token.name);
  if (!op.token.tells_failures) return;
  op.start();
  op.t.poll_callers();
  op.t.resource->async_close(close_mode::cancel, asio::detached);
  op.check(asio::error::operation_aborted, 0);
}

TEMPLATE_TEST_CASE("every token: once a function has thrown, what is queued is refused as poisoned",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op(resource_options{.failure = on_failure::poison});
  CAPTURE(op.token.name);
  if (!op.token.tells_failures) return;
  op.t.door().async_invoke(op.another(failure), asio::detached);
  op.start();
  op.check(errc::poisoned, 0);
}

TEMPLATE_TEST_CASE("every token: an operation that is abandoned by home is told nothing, its function destroyed",
                   "[async_resource][contract][tokens]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  trial<TestType> op({}, false);
  CAPTURE(op.token.name);
  if (!op.token.can_be_abandoned) return;
  op.start();
  op.t.poll_callers();
  op.t.destroy_home();
  op.t.poll_callers();
  if (op.t.finish) op.t.finish();
  CHECK(op.t.times == 0);
  CHECK(op.calls == 0);
  CHECK(op.alive.use_count() == 1);
}

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKEN_CASES_HPP
