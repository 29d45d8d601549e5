// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKEN_ROWS_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKEN_ROWS_HPP

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/co_composed.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/experimental/promise.hpp>
#include <asio/experimental/use_promise.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "support/contract_tokens.hpp"
#include "support/counting_allocator.hpp"
#include "support/executors.hpp"
#include "support/plain_coroutine.hpp"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // Of Asio's co_composed, by GCC 12.
#endif

namespace testing {

namespace rows {

using function = std::function<int(int&)>;
using error_code_function = std::function<int(int&, std::error_code&)>;

inline error_code_function in_other_form(function f) {
  return [f = std::move(f)](int& n, std::error_code&) { return f(n); };
}

template <class Bench>
plain_coroutine ask_plainly(Bench& t, function f) {
  std::exception_ptr error;
  int value = 0;
  try {
    value = co_await t.door().async_invoke(std::move(f));
  } catch (...) {
    error = std::current_exception();
  }
  t.tell(error, value);
}

// Coroutines of Asio: each asks in its way.
template <class Bench>
asio::awaitable<int> ask_in_frame(Bench& t, function f) {
  co_return co_await t.door().async_invoke(std::move(f));
}
template <class Bench>
asio::awaitable<int> ask_as_tuple(Bench& t, function f) {
  auto [error, value] = co_await t.door().async_invoke(std::move(f), asio::as_tuple(asio::use_awaitable));
  if (error) std::rethrow_exception(error);
  co_return value;
}
template <class Bench>
asio::awaitable<int> ask_redirected(Bench& t, function f) {
  std::error_code error;
  const int value =
      co_await t.door().async_invoke(in_other_form(std::move(f)), asio::redirect_error(asio::use_awaitable, error));
  if (error) throw std::system_error(error);
  co_return value;
}
template <class Bench>
asio::awaitable<int> ask_and(Bench& t, function f) {
  using namespace asio::experimental::awaitable_operators;
  co_return co_await (t.door().async_invoke(std::move(f), asio::use_awaitable) &&
                      t.now.async_wait(asio::use_awaitable));
}
template <class Bench>
asio::awaitable<int> ask_or(Bench& t, function f) {
  using namespace asio::experimental::awaitable_operators;
  const std::variant<int, std::monostate> first =
      co_await (t.door().async_invoke(std::move(f), asio::use_awaitable) || t.never.async_wait(asio::use_awaitable));
  co_return std::get<0>(first);
}
template <class Bench>
asio::awaitable<void> report(Bench& t, asio::awaitable<int> asked) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  std::exception_ptr error;
  int value = 0;
  try {
    value = co_await std::move(asked);
  } catch (...) {
    error = std::current_exception();
  }
  t.tell(error, value);
}
template <class Bench>
void spawn(Bench& t, asio::awaitable<int> asked) {
  asio::co_spawn(t.callers, report(t, std::move(asked)), asio::bind_cancellation_slot(t.slot(), asio::detached));
}

template <class Bench, class Token>
auto async_compose(Bench& t, function f, Token&& token) {
  using door = typename Bench::door_type;
  return asio::async_initiate<Token, void(std::error_code, int)>(
      asio::experimental::co_composed<void(std::error_code, int)>(
          []([[maybe_unused]] auto state, door r, function g) -> void {
            state.reset_cancellation_state(asio::enable_total_cancellation());
            auto [error, value] = co_await r.async_invoke(in_other_form(std::move(g)), asio::as_tuple(asio::deferred));
            co_return {error, value};
          },
          t.resource->get_inner_executor()),
      token, t.door(), std::move(f));
}

template <class Bench, class Future>
void finish_with(Bench& t, Future future) {
  t.finish = [&t, shared = std::make_shared<Future>(std::move(future))] {
    try {
      t.tell(std::error_code(), shared->get());
    } catch (const std::future_error&) {  // Abandoned.
    } catch (...) {
      t.tell(std::current_exception(), 0);
    }
  };
}

}  // namespace rows

// Every token of promise 4, and what each makes of it.
template <class Bench>
std::vector<token_row<Bench>> token_rows() {
  using namespace rows;
  using where = typename token_row<Bench>::place;
  using error = std::exception_ptr;
  std::vector<token_row<Bench>> table{
      {.name = "a callback",
       .start = [](Bench& t, function f) { t.door().async_invoke(std::move(f), t.unbound()); },
       .where = where::home,
       .at_once = false},
      {.name = "a callback that can only be moved",
       .start =
           [](Bench& t, function f) {
             t.door().async_invoke(std::move(f),
                                   [&t, owned = std::make_unique<int>(1)](error e, int n) { t.tell(e, n * *owned); });
           },
       .where = where::home,
       .at_once = false},
      {.name = "bind_executor", .start = [](Bench& t, function f) { t.door().async_invoke(std::move(f), t.bound()); }},
      {.name = "bind_executor, an error_code",
       .start = [](Bench& t, function f) { t.door().async_invoke(in_other_form(std::move(f)), t.bound()); }},
      {.name = "bind_cancellation_slot",
       .start =
           [](Bench& t, function f) {
             t.door().async_invoke(std::move(f), asio::bind_cancellation_slot(t.slot(), t.bound()));
           },
       .cancels = true},
      {.name = "bind_cancellation_slot, without an executor",
       .start =
           [](Bench& t, function f) {
             t.door().async_invoke(std::move(f), asio::bind_cancellation_slot(t.slot(), t.unbound()));
           },
       .where = where::home,
       .cancels = true,
       .at_once = false},
      {.name = "bind_allocator",
       .start =
           [](Bench& t, function f) {
             const counting_allocator<void> allocator(t.count);
             t.door().async_invoke(std::move(f), asio::bind_allocator(allocator, t.bound()));
           }},
      {.name = "bind_immediate_executor",
       .start =
           [](Bench& t, function f) {
             t.door().async_invoke(std::move(f), asio::bind_immediate_executor(eager_executor(t.callers), t.unbound()));
           },
       .where = where::home,
       .at_once = false,
       .immediate = true},
      {.name = "append, prepend and consign",
       .start =
           [](Bench& t, function f) {
             auto h = asio::bind_executor(t.callers, [&t](int a, error e, int n, int z) { t.tell(e, n + a - z); });
             auto slotted = asio::bind_cancellation_slot(t.slot(), std::move(h));
             t.door().async_invoke(std::move(f), asio::consign(asio::prepend(asio::append(slotted, 5), 5), 6));
           },
       .cancels = true},
      {.name = "as_tuple",
       .start =
           [](Bench& t, function f) {
             t.door().async_invoke(
                 std::move(f), asio::as_tuple(asio::bind_executor(t.callers, [&t](const std::tuple<error, int>& all) {
                   t.tell(std::get<0>(all), std::get<1>(all));
                 })));
           }},
      {.name = "deferred, with a callback later",
       .start =
           [](Bench& t, function f) {
             auto operation = t.door().async_invoke(std::move(f), asio::deferred);
             std::move(operation)(asio::bind_cancellation_slot(t.slot(), t.bound()));
           },
       .cancels = true},
      {.name = "deferred, and something after it",
       .start =
           [](Bench& t, function f) {
             auto operation = t.door().async_invoke(std::move(f), asio::deferred) |
                              asio::deferred([](error e, int n) { return asio::deferred.values(e, n); });
             std::move(operation)(t.bound());
           }},
      {.name = "use_future",
       .start = [](Bench& t, function f) { finish_with(t, t.door().async_invoke(std::move(f), asio::use_future)); },
       .where = where::anywhere,
       .at_once = false},
      {.name = "use_future, with a slot",
       .start =
           [](Bench& t, function f) {
             finish_with(t,
                         t.door().async_invoke(std::move(f), asio::bind_cancellation_slot(t.slot(), asio::use_future)));
           },
       .where = where::anywhere,
       .cancels = true,
       .at_once = false},
      {.name = "detached",
       .start = [](Bench& t, function f) { t.door().async_invoke(std::move(f), asio::detached); },
       .tells = false},
      {.name = "use_awaitable",
       .start = [](Bench& t, function f) { spawn(t, t.door().async_invoke(std::move(f), asio::use_awaitable)); },
       .cancels = true},
      {.name = "co_await",
       .start = [](Bench& t, function f) { spawn(t, ask_in_frame(t, std::move(f))); },
       .cancels = true},
      {.name = "co_await, as_tuple(use_awaitable)",
       .start = [](Bench& t, function f) { spawn(t, ask_as_tuple(t, std::move(f))); },
       .cancels = true},
      {.name = "co_await, redirect_error(use_awaitable)",
       .start = [](Bench& t, function f) { spawn(t, ask_redirected(t, std::move(f))); },
       .cancels = true},
      {.name = "co_await, &&", .start = [](Bench& t, function f) { spawn(t, ask_and(t, std::move(f))); }},
      {.name = "co_await, ||",
       .start = [](Bench& t, function f) { spawn(t, ask_or(t, std::move(f))); },
       .tells_failures = false},
      {.name = "co_await, in a coroutine that Asio does not know",
       .start = [](Bench& t, function f) { ask_plainly(t, std::move(f)); },
       .where = where::home,
       .at_once = false,
       .can_be_abandoned = false},
      {.name = "co_composed",
       .start = [](Bench& t,
                   function f) { async_compose(t, std::move(f), asio::bind_cancellation_slot(t.slot(), t.bound())); },
       .cancels = true,
       .at_once = false,
       .needs_home = true},
      {.name = "make_parallel_group",
       .start =
           [](Bench& t, function f) {
             auto h =
                 asio::bind_executor(t.callers, [&t](std::array<std::size_t, 1>, error e, int n) { t.tell(e, n); });
             asio::experimental::make_parallel_group(t.door().async_invoke(std::move(f), asio::deferred))
                 .async_wait(asio::experimental::wait_for_all(), asio::bind_cancellation_slot(t.slot(), std::move(h)));
           },
       .cancels = true,
       .at_once = false},
      {.name = "use_promise",
       .start =
           [](Bench& t, function f) {
             auto promise = t.door().async_invoke(std::move(f), asio::experimental::use_promise);
             std::move(promise)(t.unbound());
             t.finish = [kept = std::make_shared<decltype(promise)>(std::move(promise))] {};
           },
       .where = where::anywhere,
       .at_once = false,
       .needs_home = true,
       .can_be_abandoned = false},
      {.name = "any_completion_handler",
       .start =
           [](Bench& t, function f) {
             asio::any_completion_handler<void(error, int)> erased = asio::bind_cancellation_slot(t.slot(), t.bound());
             t.door().async_invoke(std::move(f), std::move(erased));
           },
       .cancels = true,
       .at_once = false},
      {.name = "any_completion_handler, without an executor",
       .start =
           [](Bench& t, function f) {
             asio::any_completion_handler<void(error, int)> erased = t.unbound();
             t.door().async_invoke(std::move(f), std::move(erased));
           },
       .where = where::home,
       .at_once = false},
  };
#if __has_include(<asio/cancel_after.hpp>)  // Since Asio 1.31.
  table.push_back({.name = "cancel_after",
                   .start =
                       [](Bench& t, function f) {
                         auto h = asio::bind_cancellation_slot(t.slot(), t.bound());
                         t.door().async_invoke(std::move(f),
                                               asio::cancel_after(t.never, std::chrono::hours(1), std::move(h)));
                       },
                   .cancels = true});
#endif
  return table;
}

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKEN_ROWS_HPP
