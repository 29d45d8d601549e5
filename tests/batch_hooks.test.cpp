// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/concepts.hpp>
#include <async_resource/lease.hpp>
#include <async_resource/options.hpp>
#include <async_resource/tokens/block.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <atomic>
#include <cctype>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "support/contexts.hpp"
#include "support/error_codes.hpp"

// The hooks that a resource may offer around the functions of a visit: enter_batch() and leave_batch(). Its operations
// wait for the latter, and share its failure.

using asyncres::async_resource;
using asyncres::block;
using asyncres::close_mode;
using asyncres::errc;
using asyncres::from_factory;
using asyncres::on_failure;
using asyncres::resource_options;
using testing::code_of;

namespace {

using any = asio::any_io_executor;

// What happens to a resource, in order: ( and ) for its batches, a lower-case letter for each function, D where it is
// destroyed. Handlers add a capital letter, ! if they are told of a failure.
struct story {
  std::string seen;
  std::error_code enter_throws, leave_throws;
  std::function<void()> on_leave = [] {};
};

struct book {
  explicit book(story& s) : in(s) {}
  book(const book&) = delete;
  ~book() { in.seen += 'D'; }
  story& in;
};
void enter_batch(book& b) {
  b.in.seen += '(';
  if (b.in.enter_throws) throw std::system_error(b.in.enter_throws);
}
void leave_batch(book& b) {
  b.in.seen += ')';
  b.in.on_leave();
  if (b.in.leave_throws) throw std::system_error(b.in.leave_throws);
}

struct interrupted_book : book {
  using book::book;
};
void interrupt(interrupted_book&) {}
void finish_interrupt(interrupted_book& b) {
  b.in.seen += 'f';
}

using handle = async_resource<any, book>;

const std::error_code aborted = asio::error::operation_aborted;
const std::error_code disk_full = make_error_code(std::errc::no_space_on_device);

auto write(char c) {
  return [c](book& b) { b.in.seen += c; };
}
auto fail(char c) {
  return [c](book& b) { b.in.seen += c, throw std::system_error(errc::exception); };
}

// A resource whose home runs when the test says so, and so does the context of the handlers.
struct stage {
  explicit stage(resource_options options = {})
      : resource(home, options, from_factory, [this]() -> book { return book(text); }) {}

  auto note(char c) {
    return asio::bind_executor(*callers, [this, c](std::exception_ptr e, auto&&...) {
      text.seen += c;
      if (e) text.seen += '!', failures[c] = code_of(e);
    });
  }
  template <class Function>
  void invoke(Function function, char handler) {
    resource.async_invoke(std::move(function), note(handler));
  }
  void write_and_note(char c) { invoke(write(c), char(std::toupper(c))); }
  // Each visit in its turn.
  void run() {
    for (int turns = 0; turns < 10; ++turns) {
      home.restart(), home.poll();
      if (callers) callers->restart(), callers->poll();
    }
  }

  asio::io_context home;
  std::optional<asio::io_context> callers{std::in_place};
  story text;
  std::map<char, std::error_code> failures;  // What each handler was told of.
  handle resource;
};

// Runs what it is given at once, and says so before.
struct announcing_executor {
  asio::execution_context* context;
  const std::function<void()>* announce;
  template <class Function>
  void execute(Function function) const {
    (*announce)();
    std::move(function)();
  }
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  static constexpr asio::execution::blocking_t::never_t query(asio::execution::blocking_t) noexcept { return {}; }
  announcing_executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  bool operator==(const announcing_executor&) const noexcept = default;
};

// Where it dies.
class traveller {
 public:
  traveller() = default;
  explicit traveller(stage& s) : on_(&s) {}
  traveller(traveller&& other) noexcept : on_(std::exchange(other.on_, nullptr)) {}
  ~traveller() {
    if (on_) on_->text.seen += on_->resource.get_executor().running_in_this_thread() ? 't' : '?';
  }

 private:
  stage* on_ = nullptr;
};

}  // namespace

TEST_CASE("only a resource with both hooks has batches", "[async_resource][batch]") {
  STATIC_REQUIRE(asyncres::has_batches<book>);
  STATIC_REQUIRE_FALSE(asyncres::has_batches<story>);
}

TEST_CASE("completions wait for the end of their batch", "[async_resource][batch]") {
  stage s;
  s.text.on_leave = [&] { s.callers->poll(); };
  for (const char c : {'a', 'b', 'c'}) s.write_and_note(c);
  s.run();
  CHECK(s.text.seen == "(abc)ABC");
  s.write_and_note('d');
  s.run();
  CHECK(s.text.seen == "(abc)ABC(d)D");
}

TEST_CASE("a visit of `quantum` functions is a batch", "[async_resource][batch]") {
  stage s(resource_options{.quantum = 2});
  for (const char c : {'a', 'b', 'c', 'd', 'e'}) s.resource.async_invoke(write(c), asio::detached);
  s.run();
  CHECK(s.text.seen == "(ab)(cd)(e)");
}

TEST_CASE("what ends a batch with an exception is the failure of all that had succeeded", "[async_resource][batch]") {
  stage s(resource_options{.failure = on_failure::poison});
  s.text.leave_throws = disk_full;
  std::error_code first, second, own;
  int first_result = -1, second_result = -1;
  s.resource.async_invoke([](book&) { return 1; },
                          [&](std::exception_ptr e, int result) {
                            first = code_of(e);
                            first_result = result;
                          });
  s.resource.async_invoke([](book&, std::error_code&) { return 2; },
                          [&](std::error_code e, int result) {
                            second = e;
                            second_result = result;
                          });
  s.resource.async_invoke([](book&, std::error_code& e) { e = errc::exception; }, [&](std::error_code e) { own = e; });
  s.run();
  CHECK(first == disk_full);
  CHECK(first_result == 0);
  CHECK(second == disk_full);
  CHECK(second_result == 0);
  CHECK(own == errc::exception);
  CHECK(s.resource.failure() == nullptr);
  CHECK(s.resource.stats().failed == 0);
  s.text.leave_throws = {};
  s.write_and_note('a');
  s.run();
  CHECK(s.text.seen == "()(a)A");
}

TEST_CASE("what begins a batch with an exception is the failure of the first alone", "[async_resource][batch]") {
  stage s;
  s.text.enter_throws = disk_full;
  s.write_and_note('a');
  s.run();
  CHECK(s.text.seen == "(A!");
  CHECK(s.failures['A'] == disk_full);
  CHECK(s.resource.stats().failed == 1);
  const auto mend = [&] { s.text.enter_throws = {}; };
  s.write_and_note('b');
  asio::post(*s.callers, mend);
  s.run();
  s.write_and_note('c');
  s.write_and_note('d');
  s.run();
  CHECK(s.text.seen == "(A!(B!(cd)CD");
}

TEST_CASE("the failure of a function is its own, in its batch", "[async_resource][batch]") {
  const auto failure = GENERATE(on_failure::propagate, on_failure::poison, on_failure::rebuild);
  stage s(resource_options{.failure = failure});
  s.write_and_note('a');
  s.invoke(fail('x'), 'X');
  s.write_and_note('b');
  s.run();
  if (failure == on_failure::propagate) CHECK(s.text.seen == "(axb)AX!B");
  if (failure == on_failure::rebuild) CHECK(s.text.seen == "(ax)D(b)AX!B");
  if (failure == on_failure::poison) {
    CHECK(s.text.seen.starts_with("(ax)"));
    CHECK(s.text.seen.find("b") == std::string::npos);
    CHECK(s.failures['B'] == errc::poisoned);
    CHECK(s.failures['X'] == errc::exception);
  }
}

TEST_CASE("a batch that fails as the resource is made anew fails those before", "[async_resource][batch]") {
  stage s(resource_options{.failure = on_failure::rebuild});
  s.text.leave_throws = disk_full;
  s.write_and_note('a');
  s.invoke(
      [&](book& b) {
        b.in.seen += 'x';
        throw std::system_error(errc::exception);
      },
      'X');
  s.text.on_leave = [&] { s.text.on_leave = [&] { s.text.leave_throws = {}; }; };
  s.write_and_note('b');
  s.run();
  CHECK(s.text.seen == "(ax)D(b)A!X!B");
  CHECK(s.failures['A'] == disk_full);
  CHECK(s.failures['X'] == errc::exception);
}

TEST_CASE("a batch ends before the resource is closed", "[async_resource][batch]") {
  stage s;
  const auto mode = GENERATE(close_mode::drain, close_mode::cancel);
  const auto close = [&](book& b) {
    b.in.seen += 'c';
    s.resource.async_close(mode,
                           asio::bind_executor(*s.callers, [&](std::error_code e) { s.text.seen += e ? "Z!" : "Z"; }));
  };
  s.write_and_note('a');
  s.invoke(close, 'C');
  s.write_and_note('b');
  s.run();
  if (mode == close_mode::drain) CHECK(s.text.seen == "(acb)DACBZ");
  if (mode == close_mode::cancel) {
    CHECK(s.text.seen.starts_with("(ac)D"));
    CHECK(s.text.seen.find("b") == std::string::npos);
    CHECK(s.failures['B'] == aborted);
  }
}

TEST_CASE("an operation that waits for its batch cannot be cancelled", "[async_resource][batch]") {
  stage s;
  asio::cancellation_signal signal;
  const bool all = GENERATE(false, true);
  s.resource.async_invoke(write('a'), asio::bind_cancellation_slot(signal.slot(), s.note('A')));
  const auto cancel = [&](book& b) {
    b.in.seen += 'c';
    if (all)
      s.resource.cancel();
    else
      signal.emit(asio::cancellation_type::total);
  };
  s.invoke(cancel, 'C');
  s.run();
  CHECK(s.text.seen == "(ac)AC");
  s.write_and_note('b');
  s.run();
  CHECK(s.text.seen == "(ac)AC(b)B");
}

TEST_CASE("an operation may lose its handler while it waits for its batch", "[async_resource][batch]") {
  const bool at_its_end = GENERATE(false, true);
  stage s;
  const auto make = [&s](book& b) {
    b.in.seen += 'a';
    return traveller(s);
  };
  SECTION("a callback") {
    s.invoke(make, 'A');
  }
  SECTION("a coroutine") {
    const auto session = [&]() -> asio::awaitable<void> { (void)co_await s.resource.async_invoke(make); };
    asio::co_spawn(*s.callers, session(), asio::detached);
    s.callers->poll();
  }
  const auto destroy = [&s](book& b) {
    b.in.seen += 'c';
    s.callers.reset();
  };
  if (at_its_end)
    s.text.on_leave = [&] { s.callers.reset(); };
  else
    s.resource.async_invoke(destroy, asio::detached);
  s.run();
  CHECK(std::erase(s.text.seen, 't') == 1);
  CHECK(s.text.seen == (at_its_end ? "(a)" : "(ac)"));
}

TEST_CASE("an operation may lose its handler as its batch ends", "[async_resource][batch]") {
  stage s;
  const std::function<void()> destroy = [&] { s.callers.reset(); };
  s.resource.async_invoke(write('a'), asio::bind_executor(announcing_executor{&s.home, &destroy},
                                                          [&](std::exception_ptr) { s.text.seen += 'A'; }));
  s.write_and_note('b');
  s.run();
  CHECK(s.text.seen == "(ab)A");
}

TEST_CASE("functions of a lease are in no batch, and a batch ends before the lease begins", "[async_resource][batch]") {
  stage s;
  asyncres::lease<any, book> held;
  s.write_and_note('a');
  s.resource.async_lease(asio::bind_executor(*s.callers, [&](std::exception_ptr, auto taken) {
    s.text.seen += 'L';
    held = std::move(taken);
  }));
  s.write_and_note('b');
  s.run();
  CHECK(s.text.seen == "(a)AL");
  held.async_invoke(write('l'), s.note('1'));
  held.async_invoke(write('m'), s.note('2'));
  s.run();
  CHECK(s.text.seen == "(a)ALlm12");
  held.release();
  s.run();
  CHECK(s.text.seen == "(a)ALlm12(b)B");
}

TEST_CASE("a lease that nobody keeps has its turn between two batches", "[async_resource][batch]") {
  stage s;
  s.write_and_note('a');
  s.resource.async_lease(s.note('L'));
  s.write_and_note('b');
  s.run();
  CHECK(s.text.seen == "(a)AL(b)B");
}

TEST_CASE("an operation whose batch does not begin has no interrupt to finish", "[async_resource][batch]") {
  asio::io_context home;
  story text;
  const async_resource<any, interrupted_book> resource(home, text);
  text.enter_throws = disk_full;
  resource.async_invoke(write('a'), asio::detached);
  home.run();
  CHECK(text.seen == "(");
}

TEMPLATE_TEST_CASE("every token waits for the batch, and is told how it ended", "[async_resource][batch]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  const auto ended = GENERATE(std::error_code(), disk_full);
  story text;
  text.leave_throws = ended;
  TestType home;
  const handle resource(home.context(), text);
  const auto batches = [](book& b) { return b.in.seen.size(); };
  std::error_code result;
  SECTION("block") {
    (void)resource.async_invoke(batches, block[result]);
  }
  SECTION("block that throws") {
    result = testing::code_thrown_by([&] { (void)resource.async_invoke(batches, block); });
  }
  SECTION("a coroutine") {
    const auto session = [&]() -> asio::awaitable<void> { (void)co_await resource.async_invoke(batches); };
    asio::io_context callers;
    asio::co_spawn(callers, session(), [&](std::exception_ptr e) { result = code_of(e); });
    callers.run();
  }
  SECTION("a future") {
    auto future = resource.async_invoke(batches, asio::use_future);
    result = testing::code_thrown_by([&] { (void)future.get(); });
  }
  SECTION("an any_completion_handler") {
    asio::io_context callers;
    resource.async_invoke(
        batches, asio::any_completion_handler<void(std::exception_ptr, std::size_t)>(
                     asio::bind_executor(callers, [&](std::exception_ptr e, std::size_t) { result = code_of(e); })));
    callers.run();
  }
  home.join();
  CHECK(result == ended);
  CHECK(text.seen == "()");
}

namespace {

struct counts {
  std::atomic<int> entered{0}, left{0}, outside{0}, early{0};
};
struct gauge {
  counts& in;
  bool open = false;
  int batch = 0;
};
void enter_batch(gauge& g) {
  g.in.outside += std::exchange(g.open, true);
  ++g.batch;
  ++g.in.entered;
}
void leave_batch(gauge& g) {
  g.in.outside += !std::exchange(g.open, false);
  ++g.in.left;
}

}  // namespace

TEMPLATE_TEST_CASE("under load, each function is in one batch, and each handler after it", "[async_resource][batch]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int sessions = 50, rounds = 40;
  counts count;
  std::atomic<int> functions{0}, handled{0};
  testing::pool_1 home;
  TestType callers;
  const async_resource<any, gauge> resource(home.context(), count);
  const auto session = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < rounds; ++i) {
      auto run = [&](gauge& g) {
        ++functions;
        count.outside += !g.open;
        return g.batch;
      };
      const int batch = co_await resource.async_invoke(std::move(run));
      count.early += count.left < batch;
      ++handled;
    }
  };
  for (int i = 0; i < sessions; ++i) asio::co_spawn(callers.get_executor(), session(), asio::detached);
  callers.join();
  home.join();
  CHECK(functions == sessions * rounds);
  CHECK(handled == sessions * rounds);
  CHECK(count.outside == 0);
  CHECK(count.early == 0);
  CHECK(count.entered == count.left);
}
