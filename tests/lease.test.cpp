// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/home_ptr.hpp>
#include <async_resource/lease.hpp>
#include <async_resource/tokens/block.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "support/contexts.hpp"
#include "support/executors.hpp"

// A lease has the resource for itself, across any number of operations, until it ends: and it ends wherever it is
// dropped.

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // Of Asio's coroutine frames, by GCC 12.
#endif

using asyncres::async_resource;
using asyncres::block;
using asyncres::close_mode;
using asyncres::errc;
using asyncres::from_factory;
using asyncres::on_failure;
using asyncres::resource_options;

namespace {

using any = asio::any_io_executor;

// What an observer is told.
struct told {
  static inline int started, finished, cancelled, rejected;
  static void forget() { started = finished = cancelled = rejected = 0; }

  void on_started(std::uint64_t) { ++started; }
  void on_finished(std::uint64_t) { ++finished; }
  void on_cancelled(std::uint64_t) { ++cancelled; }
  void on_rejected(std::uint64_t) { ++rejected; }
};

struct stage;

struct ledger {
  explicit ledger(stage& s);
  ledger(const ledger&) = delete;
  ~ledger();
  stage& on;
};

using handle = async_resource<any, ledger, told>;
using lease = asyncres::lease<any, ledger, told>;

// A resource whose home runs when the test says so. `seen` is what happens to it: a lower-case letter or a digit for
// each function, R for a rollback, M and D where it is made and destroyed.
struct stage {
  explicit stage(resource_options options = {})
      : resource(*home, options, from_factory, [this]() -> ledger { return ledger(*this); }) {
    told::forget();
  }

  // Also what another context has to do with it.
  void run() {
    for (int turns = 0; turns < 10; ++turns) {
      if (callers) callers->restart(), callers->poll();
      if (home) home->restart(), home->poll();
    }
  }
  bool at_work() const { return !home->stopped(); }

  static auto write(char c) {
    return [c](ledger& l) { l.on.seen += c; };
  }
  void plain(char c) const { resource.async_invoke(write(c), asio::detached); }
  static void leased(const lease& l, char c) { l.async_invoke(write(c), asio::detached); }
  // The next one's.
  auto into(lease& taken) {
    return asio::bind_executor(*callers, [&taken](std::exception_ptr, lease l) { taken = std::move(l); });
  }
  auto note(std::error_code& result) {
    return asio::bind_executor(*callers, [&result](std::exception_ptr e) { result = code(e); });
  }
  static std::error_code code(std::exception_ptr e) try {
    if (e) std::rethrow_exception(e);
    return {};
  } catch (const std::system_error& error) {
    return error.code();
  }
  lease take() {
    lease taken;
    resource.async_lease(into(taken));
    run();
    REQUIRE(taken);
    seen.clear();
    return taken;
  }

  std::optional<asio::io_context> home{std::in_place}, callers{std::in_place};
  std::string seen;
  handle resource;
};

ledger::ledger(stage& s) : on(s) {
  on.seen += 'M';
}
ledger::~ledger() {
  on.seen += 'D';
}
void rollback(ledger& l) {
  l.on.seen += l.on.resource.get_executor().running_in_this_thread() ? 'R' : '?';
}

struct machine {
  testing::event interrupted;
};
void interrupt(machine& m) {
  m.interrupted.set();
}

struct account {
  long balance = 0, saved = 0;
  bool leased = false;
};
void rollback(account& a) {
  a.balance = a.saved;
  a.leased = false;
}

const std::error_code aborted = asio::error::operation_aborted;
const std::error_code pending(1, std::generic_category());  // Stands until a handler is called.

}  // namespace

TEST_CASE("a lease keeps the resource while others wait for their turn", "[async_resource][lease]") {
  stage s;
  lease held = s.take();
  s.plain('a');
  stage::leased(held, '1');
  s.run();
  CHECK(s.seen == "1");
  s.plain('b');
  stage::leased(held, '2');
  stage::leased(held, '3');
  s.run();
  CHECK(s.seen == "123");
  CHECK(s.at_work());
  held.commit();
  SECTION("release") {
    held.release();
  }
  SECTION("destructor") {
    const lease gone = std::move(held);
  }
  SECTION("assignment") {
    held = lease();
  }
  s.run();
  CHECK_FALSE(held);
  CHECK(s.seen == "123ab");
  CHECK_FALSE(s.at_work());
}

TEST_CASE("leases and functions have their turns in the order submitted", "[async_resource][lease]") {
  stage s;
  lease first, second;
  s.plain('a');
  s.resource.async_lease(s.into(first));
  s.plain('b');
  s.resource.async_lease(s.into(second));
  s.plain('c');
  s.run();
  REQUIRE(first);
  stage::leased(first, '1');
  first = lease();
  s.run();
  REQUIRE(second);
  stage::leased(second, '2');
  second.release();
  s.run();
  CHECK(s.seen == "Ma1Rb2Rc");
}

TEST_CASE("what a lease has submitted before it ends still runs, and then the rollback", "[async_resource][lease]") {
  stage s;
  lease held = s.take();
  s.plain('a');
  std::string expected;
  SECTION("not committed") {
    stage::leased(held, '1');
    stage::leased(held, '2');
    expected = "12Ra";
  }
  SECTION("committed") {
    stage::leased(held, '1');
    held.commit();
    expected = "1a";
  }
  SECTION("not used") {
    expected = "a";
  }
  held.release();
  CHECK(s.seen.empty());
  s.run();
  CHECK(s.seen == expected);
}

TEST_CASE("waiting for a lease can be cancelled, and the next one gets it", "[async_resource][lease]") {
  stage s;
  lease first = s.take(), second, third;
  std::error_code ended = pending;
  asio::cancellation_signal signal;
  s.resource.async_lease(
      asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(*s.callers, [&](std::exception_ptr e, lease l) {
                                     ended = stage::code(e);
                                     second = std::move(l);
                                   })));
  s.run();
  const bool all = GENERATE(false, true);
  if (all)
    s.resource.cancel();
  else
    signal.emit(asio::cancellation_type::total);
  s.resource.async_lease(s.into(third));
  s.run();
  CHECK(ended == aborted);
  CHECK_FALSE(second);
  CHECK_FALSE(third);
  first.release();
  s.run();
  CHECK(third);
  stage::leased(third, '3');
  s.run();
  CHECK(s.seen == "3");
}

TEST_CASE("what waits behind a lease is cancelled without waiting for it", "[async_resource][lease]") {
  stage s;
  lease held = s.take();
  std::error_code plain = pending, leased = pending, later = pending;
  s.resource.async_invoke(stage::write('a'), s.note(plain));
  const bool run_before = GENERATE(false, true);
  if (run_before) s.run();
  held.async_invoke(stage::write('1'), s.note(leased));
  SECTION("cancel") {
    s.resource.cancel();
    s.resource.async_invoke(stage::write('b'), s.note(later));
    s.run();
    CHECK(later == pending);
  }
  SECTION("close") {
    s.resource.async_close(close_mode::cancel, asio::detached);
    s.resource.async_invoke(stage::write('b'), s.note(later));
    s.run();
    CHECK(later == errc::closed);
  }
  CHECK(plain == aborted);
  CHECK(leased == aborted);
  stage::leased(held, '2');
  s.run();
  CHECK(s.seen == "2");
}

TEST_CASE("a lease ends with the coroutine that has it", "[async_resource][lease]") {
  stage s;
  std::string expected = "M1Ra";
  const auto session = [&](auto use) -> asio::awaitable<void> {
    lease held = co_await s.resource.async_lease();
    auto write = stage::write('1');
    co_await held.async_invoke(std::move(write));
    co_await use(held);
  };
  SECTION("that throws") {
    const auto use = [](lease&) -> asio::awaitable<void> {
      throw std::runtime_error("thrown");
      co_return;
    };
    asio::co_spawn(*s.callers, session(use), asio::detached);
    s.run();
  }
  SECTION("that returns, having been given it") {
    const auto use = [](lease& held) -> asio::awaitable<void> {
      const auto last = [](lease given) -> asio::awaitable<void> {
        auto write = stage::write('2');
        co_await given.async_invoke(std::move(write));
      };
      co_await last(std::move(held));
      CHECK_FALSE(held);
    };
    asio::co_spawn(*s.callers, session(use), asio::detached);
    s.run();
    expected = "M12Ra";
  }
  SECTION("whose context is destroyed") {
    const auto use = [](lease&) -> asio::awaitable<void> {
      asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
      co_await never.async_wait(asio::use_awaitable);
    };
    asio::co_spawn(*s.callers, session(use), asio::detached);
    s.run();
    CHECK(s.seen == "M1");
    s.callers.reset();
  }
  s.plain('a');
  s.run();
  CHECK(s.seen == expected);
}

TEST_CASE("a lease that nobody receives ends", "[async_resource][lease]") {
  stage s;
  SECTION("detached") {
    s.resource.async_lease(asio::detached);
  }
  SECTION("an operation that is not started") {
    (void)s.resource.async_lease();
  }
  SECTION("a handler that is destroyed") {
    s.resource.async_lease(asio::bind_executor(*s.callers, [](std::exception_ptr, lease) {}));
    s.home->poll();
    s.callers.reset();
  }
  SECTION("a handler that is destroyed before it is its turn") {
    s.resource.async_lease(asio::bind_executor(*s.callers, [](std::exception_ptr, lease) {}));
    s.callers.reset();
  }
  SECTION("an any_completion_handler that is destroyed") {
    s.resource.async_lease(asio::any_completion_handler<void(std::exception_ptr, lease)>(
        asio::bind_executor(*s.callers, [](std::exception_ptr, lease) {})));
    s.home->poll();
    s.callers.reset();
  }
  s.plain('a');
  s.run();
  CHECK(s.seen == "Ma");
}

TEST_CASE("a lease may outlive home", "[async_resource][lease]") {
  stage s;
  lease held = s.take();
  auto waiting = std::make_shared<int>();
  const std::weak_ptr<int> destroyed = waiting;
  s.resource.async_invoke(stage::write('a'),
                          asio::bind_executor(*s.callers, [waiting = std::move(waiting)](std::exception_ptr) {}));
  stage::leased(held, '1');
  s.home.reset();
  s.callers->poll();
  CHECK(destroyed.expired());
  CHECK(s.seen == "D");
  std::error_code result = pending;
  held.async_invoke(stage::write('2'), s.note(result));
  s.run();
  CHECK(result == errc::closed);
  held.release();
  CHECK(s.seen == "D");
}

TEST_CASE("a lease that is empty, or has ended, runs nothing", "[async_resource][lease]") {
  stage s;
  lease held = s.take();
  auto late = held.async_invoke(stage::write('1')), in_time = held.async_invoke(stage::write('2'));
  std::error_code result = pending, result_in_time = pending;
  std::move(in_time)(s.note(result_in_time));
  held.commit();
  held.release();
  CHECK_THROWS_AS((void)held.async_invoke(stage::write('3')), std::system_error);
  lease next;
  if (GENERATE(false, true)) s.resource.async_lease(s.into(next));
  if (GENERATE(false, true)) s.run();
  std::move(late)(s.note(result));
  s.run();
  CHECK(result_in_time == std::error_code());
  CHECK(result == errc::closed);
  CHECK(s.seen == "2");
  std::error_code empty;
  try {
    (void)lease().async_invoke(stage::write('4'));
  } catch (const std::system_error& e) {
    empty = e.code();
  }
  CHECK(empty == errc::closed);
}

TEST_CASE("a lease needs no place in a bounded queue", "[async_resource][lease]") {
  stage s(resource_options{.max_pending = 1});
  lease held = s.take();
  stage::leased(held, '1');
  stage::leased(held, '2');
  std::error_code first = pending, second = pending, third = pending;
  s.resource.async_invoke(stage::write('a'), s.note(first));
  s.resource.async_invoke(stage::write('b'), s.note(second));
  stage::leased(held, '3');
  s.run();
  CHECK(s.seen == "123");
  CHECK(first == pending);
  CHECK(second == errc::queue_full);
  s.resource.async_invoke(stage::write('c'), s.note(third));
  held.commit();
  held.release();
  s.run();
  CHECK(s.seen == "123a");
  CHECK(third == errc::queue_full);
}

TEST_CASE("closing waits for the lease, whose functions still run", "[async_resource][lease]") {
  stage s;
  lease held = s.take();
  s.plain('a');
  const auto mode = GENERATE(close_mode::drain, close_mode::cancel);
  bool closed = false;
  s.resource.async_close(mode, asio::bind_executor(*s.callers, [&](std::error_code) { closed = true; }));
  s.run();
  stage::leased(held, '1');
  s.run();
  CHECK(s.seen == "1");
  CHECK_FALSE(closed);
  held.release();
  s.run();
  CHECK(closed);
  CHECK(s.seen == (mode == close_mode::drain ? "1RaD" : "1RD"));
}

TEST_CASE("a function of a lease that throws is a failure like others", "[async_resource][lease]") {
  const auto throws = [](ledger& l) { l.on.seen += 'x', throw std::system_error(errc::exception); };
  std::error_code thrown = pending, leased = pending, plain = pending;
  const auto failure = GENERATE(on_failure::propagate, on_failure::poison, on_failure::rebuild);
  stage s(resource_options{.failure = failure});
  lease held = s.take();
  held.async_invoke(throws, s.note(thrown));
  held.async_invoke(stage::write('1'), s.note(leased));
  s.resource.async_invoke(stage::write('a'), s.note(plain));
  s.run();
  CHECK(thrown == errc::exception);
  CHECK(plain == pending);
  held.commit();
  held.release();
  s.run();
  const bool poisoned = failure == on_failure::poison;
  CHECK(s.seen == (poisoned ? "x" : failure == on_failure::rebuild ? "xDM1a" : "x1a"));
  CHECK((leased == errc::poisoned) == poisoned);
  CHECK((plain == errc::poisoned) == poisoned);
}

TEST_CASE("a home_ptr dies at home, whoever has the lease", "[async_resource][lease]") {
  struct guest {
    explicit guest(stage& s) : on(s) {}
    ~guest() { on.seen += on.resource.get_executor().running_in_this_thread() ? 'g' : '?'; }
    stage& on;
  };
  stage s;
  asyncres::home_ptr<guest> made_before, made_in_lease;
  const auto making = [&s](asyncres::home_ptr<guest>& to) {
    return [&s, &to](ledger&) { to = asyncres::make_home_ptr<guest>(s.resource, s); };
  };
  s.resource.async_invoke(making(made_before), asio::detached);
  lease held = s.take();
  held.async_invoke(making(made_in_lease), asio::detached);
  s.plain('a');
  s.run();
  made_before.reset();
  made_in_lease.reset();
  s.run();
  CHECK(s.seen == "gg");
  held.commit();
}

TEST_CASE("what becomes of a lease's operations is counted", "[async_resource][lease]") {
  stage s;
  lease held = s.take();
  asio::cancellation_signal signal;
  held.async_invoke(stage::write('1'), asio::detached);
  held.async_invoke([](ledger&) { throw 1; }, asio::detached);
  held.async_invoke(stage::write('2'), asio::bind_cancellation_slot(signal.slot(), asio::detached));
  signal.emit(asio::cancellation_type::total);
  auto late = held.async_invoke(stage::write('3'));
  s.plain('a');
  s.resource.async_lease(asio::detached);
  CHECK(s.resource.stats().submitted == 6);
  held.release();
  s.run();
  std::move(late)(asio::detached);
  s.run();
  CHECK(s.seen == "1Ra");
  const auto stats = s.resource.stats();
  CHECK(stats.submitted == 7);
  CHECK(stats.completed == 4);
  CHECK(stats.failed == 1);
  CHECK(stats.cancelled == 1);
  CHECK(stats.rejected == 1);
  CHECK(stats.queued == 0);
  CHECK(told::started == 5);
  CHECK(told::finished == 5);
  CHECK(told::cancelled == 1);
  CHECK(told::rejected == 1);
}

TEST_CASE("a function of a lease can be asked to give up", "[async_resource][lease]") {
  testing::pool_1 home;
  asio::io_context callers;
  const async_resource<any, machine> resource(home.context());
  auto held = resource.async_lease(block);
  testing::event running;
  asio::cancellation_signal signal;
  std::optional<bool> gave_up;
  bool again = false;
  held.async_invoke(
      [&](machine& m, asyncres::cancellation_view view) {
        running.set();
        return m.interrupted.wait() && view.requested();
      },
      asio::bind_cancellation_slot(
          signal.slot(), asio::bind_executor(callers, [&](std::exception_ptr, bool result) { gave_up = result; })));
  REQUIRE(running.wait());
  SECTION("by its slot") {
    signal.emit(asio::cancellation_type::total);
  }
  SECTION("with all others") {
    resource.cancel();
  }
  callers.run();
  CHECK(gave_up == true);
  held.async_invoke([&](machine&) { again = true; }, block);
  CHECK(again);
}

TEST_CASE("a thread that has a lease cannot block on the handle", "[async_resource][lease]") {
  testing::pool_1 home;
  const async_resource<any, int> resource(home.context(), 1);
  const auto get = [](int& i) { return i; };
  auto held = resource.async_lease(block);
  std::error_code function, second;
  CHECK(held.async_invoke(get, block) == 1);
  CHECK(resource.async_invoke(get, block[function]) == 0);
  CHECK(function == errc::would_deadlock);
  CHECK_FALSE(resource.async_lease(block[second]));
  CHECK(second == errc::would_deadlock);
  held.release();
  CHECK(resource.async_invoke(get, block[function]) == 1);
  CHECK_FALSE(function);
}

TEST_CASE("many coroutines take leases: nobody comes between, and none is lost", "[async_resource][lease]") {
  constexpr int sessions = 50, rounds = 20;
  using own_lease = asyncres::lease<any, account>;
  std::atomic<int> committed{0}, between{0}, unexpected{0};
  testing::pool_1 home;
  testing::pool_4 callers;
  const async_resource<any, account> resource(home.context());
  const auto withdraw = [&](own_lease held, bool commit) -> asio::awaitable<void> {
    auto begin = [&](account& a) {
      between += std::exchange(a.leased, true);
      return a.saved = a.balance;
    };
    const long balance = co_await held.async_invoke(std::move(begin));
    auto write = [balance](account& a) { a.balance = balance + 1; };
    co_await held.async_invoke(std::move(write));
    if (!commit) throw std::runtime_error("thrown");
    auto end = [](account& a) { a.leased = false; };
    co_await held.async_invoke(std::move(end));
    held.commit();
    ++committed;
  };
  const auto session = [&](int seed) -> asio::awaitable<void> {
    for (int i = 0; i < rounds; ++i) {
      const int what = (seed + i) % 5;
      auto deposit = [&](account& a) {
        between += a.leased;
        ++a.balance;
      };
      if (what == 0) co_await resource.async_invoke(std::move(deposit)), ++committed;
      if (what == 1) (void)co_await resource.async_lease();
      if (what < 2) continue;
      own_lease held = co_await resource.async_lease();
      if (what == 2) {
        co_await withdraw(std::move(held), true);
        continue;
      }
      // The lease goes to a coroutine, and most likely a thread, of its own.
      const bool commit = what == 3;
      asio::co_spawn(commit ? any(home.get_executor()) : any(callers.get_executor()), withdraw(std::move(held), commit),
                     asio::detached);
    }
  };
  for (int i = 0; i < sessions; ++i)
    asio::co_spawn(callers.get_executor(), session(i), [&](std::exception_ptr e) { unexpected += e != nullptr; });
  callers.join();
  // Whoever has a lease still is before this.
  CHECK(resource.async_invoke([](account& a) { return a.balance; }, block) == sessions * rounds * 3 / 5);
  CHECK(committed == sessions * rounds * 3 / 5);
  CHECK(between == 0);
  CHECK(unexpected == 0);
}

TEST_CASE("an operation that home's executor throws at leaves its caller with a throw, and is counted as rejected",
          "[lease][errors]") {
  testing::manual_context home;
  const async_resource<asio::any_io_executor, int> resource(home.get_executor(), 0);
  asyncres::lease<asio::any_io_executor, int> held;
  resource.async_lease(
      [&](std::exception_ptr, asyncres::lease<asio::any_io_executor, int> lease) { held = std::move(lease); });
  home.run();
  REQUIRE(held);
  const bool with_slot = GENERATE(false, true);
  asio::cancellation_signal signal;
  const auto slot = with_slot ? signal.slot() : asio::cancellation_slot();
  const auto handler = [&] { return asio::bind_cancellation_slot(slot, [](std::exception_ptr) {}); };
  SECTION("of the lease") {
    home.fail_next(1);
    CHECK_THROWS_AS(held.async_invoke([](int&) {}, handler()), std::bad_alloc);
  }
  SECTION("of the handle") {
    held.release();
    home.run();
    home.fail_next(1);
    CHECK_THROWS_AS(resource.async_invoke([](int&) {}, handler()), std::bad_alloc);
  }
  const auto stats = resource.stats();
  CHECK(stats.submitted == 2);
  CHECK(stats.completed == 1);
  CHECK(stats.rejected == 1);
  CHECK(stats.queued == 0);
}
