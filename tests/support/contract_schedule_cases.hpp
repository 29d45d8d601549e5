// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_SCHEDULE_CASES_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_SCHEDULE_CASES_HPP

#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio/error.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

#include "support/contract_kinds.hpp"
#include "support/schedule.hpp"

// Promises 1, 2, 3, 6, 7, 8 and 9, one step at a time: each race as an interleaving that is written out, and then as
// many as there is time for, made up from a seed. What is promised is in contract_model.hpp. For a file that says which
// kinds of place this is tried on: ASYNC_RESOURCE_CONTRACT_KINDS, of contract_kinds.hpp.

using asyncres::close_mode;
using asyncres::errc;
using asyncres::on_failure;
using asyncres::resource_options;
using asyncres::when_full;
using testing::on_lease;
using testing::on_pool;
using testing::place;
using testing::schedule;
using testing::schedule_terms;
using style = schedule_terms::style;

namespace {

constexpr auto aborted = asio::error::operation_aborted;
constexpr int home = schedule_terms::home, b = schedule_terms::b, c = schedule_terms::c;

auto kinds() {
  using enum place::kind;
  return GENERATE(schedule_terms::kinds{manual, manual, manual}, schedule_terms::kinds{io, io, io},
                  schedule_terms::kinds{manual, io, manual}, schedule_terms::kinds{io, manual, io});
}

auto styles() {
  return GENERATE(style::callback, style::strand, style::unbound, style::erased, style::coroutine,
                  style::coroutine_on_strand);
}

template <class Kind>
void check(schedule<Kind>& s) {
  s.finish();
  INFO(s.trace);
  CHECK(s.promises.complaints() == std::vector<std::string>());
}

// One operation, of each style and form, on its way to home.
template <class Kind>
struct single {
  single() : s(kinds()) {
    request.how = styles();
    request.caller = request.how == style::unbound ? home : b;
    request.error_code_form = GENERATE(false, true);
    request.in_function = [this] { in_function(); };
    id = s.submit(request);
    if (request.caller == b) s.run(b);
  }
  single(const single&) = delete;

  void emit() { s.emit(id); }
  void run_function() {
    while (!s.promises.called(id) && s.step(home)) continue;
  }
  void run_handler() {
    if (request.how == style::erased) s.run(home);
    s.run(request.caller);
  }
  std::optional<std::error_code> told() const { return s.promises.told(id); }
  bool called() const { return s.promises.called(id); }

  std::function<void()> in_function = [] {};
  schedule_terms::request request;
  schedule<Kind> s;
  int id;
};

}  // namespace

TEMPLATE_TEST_CASE("cancelled between submission and start, an operation completes before home moves",
                   "[async_resource][contract]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  single<TestType> op;
  op.emit();
  CHECK_FALSE(op.told());
  op.run_handler();
  CHECK(op.told() == aborted);
  check(op.s);
  CHECK_FALSE(op.called());
}

TEMPLATE_TEST_CASE("cancelled while its function runs, an operation completes as that does",
                   "[async_resource][contract]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  single<TestType> op;
  SECTION("by its slot") {
    op.in_function = [&] { op.emit(); };
  }
  SECTION("by the handle") {
    op.in_function = [&] { op.s.cancel_all(); };
  }
  SECTION("by a close") {
    op.in_function = [&] { op.s.close(close_mode::cancel); };
  }
  check(op.s);
  CHECK(op.told() == std::error_code());
}

TEMPLATE_TEST_CASE("cancelled after its function ran, before it is told, an operation has completed",
                   "[async_resource][contract]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  single<TestType> op;
  op.run_function();
  op.emit();
  op.s.cancel_all();
  op.run_handler();
  CHECK(op.told() == std::error_code());
  check(op.s);
}

TEMPLATE_TEST_CASE("cancelled after it was told, an operation does nothing to the next", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  single<TestType> op;
  op.s.settle();
  const int next = op.s.submit(op.request);
  op.emit();
  check(op.s);
  CHECK(op.told() == std::error_code());
  CHECK(op.s.promises.told(next) == std::error_code());
}

TEMPLATE_TEST_CASE("cancelled twice, an operation is told once", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  single<TestType> op;
  SECTION("by its slot") {
    op.emit();
  }
  SECTION("by its slot, and told in between") {
    op.emit();
    op.run_handler();
  }
  SECTION("by the handle first") {
    op.s.cancel_all();
  }
  SECTION("by a close first") {
    op.s.close(close_mode::cancel);
  }
  op.emit();
  op.s.cancel_all();
  check(op.s);
  CHECK(op.told() == aborted);
  CHECK_FALSE(op.called());
}

TEMPLATE_TEST_CASE("cancel() comes between two operations that one thread submits", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  single<TestType> first;
  first.s.cancel_all();
  const int second = first.s.submit(first.request);
  check(first.s);
  CHECK(first.told() == aborted);
  CHECK(first.s.promises.told(second) == std::error_code());
}

TEMPLATE_TEST_CASE("an operation that was cancelled takes its place until home has moved", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  schedule<TestType> s(kinds(), resource_options{.max_pending = 2});
  const int first = s.submit({}), second = s.submit({});
  s.emit(first);
  s.run(b);
  const int third = s.submit({});
  s.run(b);
  CHECK(s.promises.told(first) == aborted);
  // The functions of a lease need no place.
  CHECK(s.promises.told(third) == (s.has_lease() ? std::nullopt : std::optional<std::error_code>(errc::queue_full)));
  s.run(home);
  const int fourth = s.submit({.caller = c});
  check(s);
  CHECK(s.promises.told(second) == std::error_code());
  CHECK(s.promises.told(fourth) == std::error_code());
}

TEMPLATE_TEST_CASE("an operation that waits for room is cancelled as one that has it", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  schedule<TestType> s(kinds(), resource_options{.max_pending = 1, .full = when_full::wait});
  schedule_terms::request request{.how = styles()};
  if (request.how == style::erased || request.how == style::unbound) request.caller = home;
  const int first = s.submit(request), second = s.submit(request), third = s.submit(request);
  if (request.caller == b) s.run(b);
  CHECK(s.stats().queued == 1);
  s.emit(second);
  s.run(request.caller);
  CHECK(s.promises.told(second) == aborted);
  check(s);
  CHECK(s.promises.told(first) == std::error_code());
  CHECK(s.promises.told(third) == std::error_code());
}

TEMPLATE_TEST_CASE("with home gone, any number of operations is refused as closed", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  schedule<TestType> s(kinds(), resource_options{.max_pending = 1});
  const style how = GENERATE(style::callback, style::strand, style::coroutine, style::coroutine_on_strand);
  const bool slot = GENERATE(false, true);
  s.destroy(home);
  for (int i = 0; i < 3; ++i) s.submit({.how = how, .slot = slot});
  s.run(b);
  for (int id = 0; id < 3; ++id) CHECK(s.promises.told(id) == errc::closed);
  check(s);
}

TEMPLATE_TEST_CASE("an operation whose caller has gone is counted as what becomes of its function",
                   "[async_resource][contract]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  schedule<TestType> s(kinds(), resource_options{.failure = on_failure::poison});
  const bool slot = GENERATE(false, true);
  std::function<void()> then = [] {};
  bool throws = false;
  SECTION("it runs") {}
  SECTION("all are cancelled") {
    then = [&] { s.cancel_all(); };
  }
  SECTION("a close cancels") {
    then = [&] { s.close(close_mode::cancel, c); };
  }
  SECTION("the resource is poisoned") {
    throws = true;
  }
  s.submit({.caller = c, .function_throws = throws});
  s.submit({.slot = slot});
  s.destroy(b);
  then();
  check(s);
}

TEMPLATE_TEST_CASE("a handler that is reached by way of home may throw", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  schedule<TestType> s(kinds());
  s.submit({.caller = home, .how = style::erased, .error_code_form = GENERATE(false, true), .handler_throws = true});
  check(s);
}

namespace {

// What may happen between any two steps.
template <class Kind>
struct act {
  std::string name;
  std::function<void(schedule<Kind>&)> take;
};

template <class Kind>
std::vector<act<Kind>> acts() {
  using schedule = testing::schedule<Kind>;
  const auto with_handle = [](auto f) { return [f](schedule& s) { s.has_handle() ? f(s) : void(); }; };
  const auto destroy = [](int p) { return [p](schedule& s) { s.there(p) ? s.destroy(p) : void(); }; };
  std::vector<act<Kind>> all{
      {"the first is cancelled", [](schedule& s) { s.emit(0); }},
      {"the last is cancelled", [](schedule& s) { s.emit(4); }},
      {"all are cancelled", with_handle([](schedule& s) { s.cancel_all(); })},
      {"a close drains", with_handle([](schedule& s) { s.close(close_mode::drain, s.there(b) ? b : c); })},
      {"a close cancels", with_handle([](schedule& s) { s.close(close_mode::cancel, s.there(b) ? b : c); })},
      {"the handle is dropped", with_handle([](schedule& s) { s.drop_handle(); })},
      {"a home_ptr is dropped", [](schedule& s) { s.has_pointers() ? s.drop_pointer() : void(); }},
      {"home's context goes", destroy(home)},
      {"a caller's context goes", destroy(b)},
  };
  if constexpr (std::is_same_v<Kind, on_lease>)
    all.push_back({"the lease ends", [](schedule& s) { s.has_lease() ? s.end_lease() : void(); }});
  return all;
}

// Home and both callers take turns. False: there is nothing left to do.
template <class Kind>
bool take_turns(schedule<Kind>& s, int steps) {
  for (int done = 0; done < steps;) {
    const int before = done;
    for (const int p : {b, home, c})
      if (done < steps && s.there(p)) done += s.step(p);
    if (done == before) return false;
  }
  return true;
}

template <class Kind>
void submit_some(schedule<Kind>& s) {
  s.submit({.makes_pointer = true});
  s.submit({.caller = c, .how = style::coroutine});
  s.submit({.how = style::strand, .error_code_form = true, .function_throws = true});
  s.submit({.how = style::unbound, .slot = false});
  s.submit({.how = style::coroutine_on_strand});
  if (s.has_lease()) s.submit({.by_lease = false});
}

}  // namespace

TEMPLATE_TEST_CASE("anything may happen between any two steps", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  const auto k = kinds();
  for (const act<TestType>& a : acts<TestType>()) {
    INFO(a.name);
    bool more = true;
    for (int steps = 0; more; ++steps) {
      schedule<TestType> s(k);
      submit_some(s);
      more = take_turns(s, steps);
      a.take(s);
      check(s);
    }
  }
}

TEMPLATE_TEST_CASE("any two things may happen, each between any two steps", "[async_resource][contract]",
                   ASYNC_RESOURCE_CONTRACT_KINDS) {
  using enum place::kind;
  const schedule_terms::kinds k{io, io, manual};
  for (const act<TestType>& first : acts<TestType>())
    for (const act<TestType>& second : acts<TestType>())
      for (int before = 0, between = 0; between >= 0;) {
        schedule<TestType> s(k, resource_options{.quantum = 1});
        submit_some(s);
        const bool more_before = take_turns(s, before);
        first.take(s);
        const bool more_between = take_turns(s, between);
        second.take(s);
        INFO(first.name << ", then " << second.name);
        check(s);
        ++between;
        if (!more_between) ++before, between = more_before ? 0 : -1;
      }
}

namespace {

// A short program, made up from a seed. What functions and handlers do is part of it.
template <class Kind>
class random_program {
 public:
  explicit random_program(std::uint32_t seed)
      : random_(seed),
        from_factory_(one_in(3) || std::is_same_v<Kind, on_pool>),
        s_({kind(), kind(), kind()}, options(), from_factory_) {
    if (from_factory_) s_.factory_failures = below(3);
  }

  schedule<Kind>& run() {
    for (int n = 5 + below(40); n > 0; --n) act();
    s_.finish();
    return s_;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  bool one_in(int n) { return below(n) == 0; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(static_cast<int>(values.size()))];
  }

  place::kind kind() { return one_of({place::kind::manual, place::kind::io}); }
  resource_options options() {
    resource_options o;
    o.max_pending = one_of<std::size_t>({asyncres::unlimited, 1, 2, 3});
    o.full = one_of({when_full::reject, when_full::reject, when_full::wait});
    o.quantum = one_of<std::size_t>({1, 2, 64});
    o.failure = one_of({on_failure::propagate, on_failure::poison, on_failure::rebuild});
    if (o.failure == on_failure::rebuild && !from_factory_) o.failure = on_failure::propagate;
    return o;
  }

  void act() {
    if (++acts_ > 150) return;
    const int p = below(3);
    switch (below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: submit(p); break;
      case 5:
      case 6:
      case 7:
        if (s_.operations() > 0) s_.emit(below(static_cast<int>(s_.operations())));
        break;
      case 8: end(p); break;
      case 9:
        if (s_.has_pointers()) s_.drop_pointer();
        break;
      case 10:
        if (one_in(4)) destroy(p);
        break;
      case 11: s_.run(p); break;
      case 12:
      case 13:
      case 14:
      case 15:
        if (s_.there(home)) s_.step(home);
        break;
      default:
        if (s_.there(p)) s_.step(p);
    }
    if (s_.has_handle()) s_.promises.look(s_.stats());
  }

  void submit(int p) {
    if (s_.operations() > 12) return;
    schedule_terms::request r{.caller = p, .how = static_cast<style>(below(6))};
    r.by_lease = s_.has_lease() && !one_in(4);
    if (!r.by_lease && !s_.has_handle()) return;
    // Those would be refused by way of a system thread.
    if ((r.how == style::unbound && !s_.there(home)) || (r.how == style::erased && s_.promises.refusal(r.by_lease)))
      r.how = style::callback;
    if (!s_.there(r.how == style::unbound ? home : p)) return;
    r.slot = one_in(2);
    r.error_code_form = one_in(2);
    r.function_throws = one_in(5);
    // Asio makes one exception of two where a handler is called inside another.
    r.handler_throws = one_in(8) && r.how < style::erased;
    r.makes_pointer = one_in(6);
    r.in_function = some_acts();
    r.in_handler = some_acts();
    s_.submit(r);
  }

  std::function<void()> some_acts() {
    const int n = one_in(4) ? 1 + below(3) : 0;
    return [this, n] {
      for (int i = 0; i < n; ++i) act();
    };
  }

  void end(int p) {
    if (s_.has_lease() && one_in(4)) return s_.end_lease();
    if (!s_.has_handle()) return;
    if (one_in(2)) return s_.cancel_all();
    if (one_in(4)) return s_.drop_handle();
    if (s_.there(p) && one_in(2)) s_.close(one_of({close_mode::drain, close_mode::cancel}), p, one_in(2));
  }

  void destroy(int p) {
    if (s_.there(p) && !s_.inside(p) && s_.promises.may_destroy(p)) s_.destroy(p);
  }

  std::mt19937 random_;
  const bool from_factory_;
  schedule<Kind> s_;
  int acts_ = 0;
};

template <class Kind>
void check_programs(std::uint32_t count) {
  for (std::uint32_t n = 0; n < count; ++n) {
    const std::uint32_t seed = Catch::getSeed() + n;
    random_program<Kind> program(seed);
    schedule<Kind>& s = program.run();
    if (s.promises.complaints().empty()) continue;
    INFO("--rng-seed " << seed << " repeats it:\n" << s.trace);
    REQUIRE(s.promises.complaints() == std::vector<std::string>());
  }
  SUCCEED();
}

}  // namespace

TEMPLATE_TEST_CASE("whatever a single thread does, in whatever order, what is promised holds",
                   "[async_resource][contract]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  check_programs<TestType>(3'000);
}

TEMPLATE_TEST_CASE("whatever a single thread does, what is promised holds a hundred thousand times",
                   "[async_resource][contract][.long]", ASYNC_RESOURCE_CONTRACT_KINDS) {
  check_programs<TestType>(100'000);
}

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_SCHEDULE_CASES_HPP
