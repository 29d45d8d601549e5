// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/home_ptr.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <asio.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/contexts.hpp"
#include "support/error_codes.hpp"

// Promise 7, of the library's own errors; and what becomes of a resource that fails, or cannot be made.

using asyncres::async_resource;
using asyncres::errc;
using asyncres::from_factory;
using asyncres::on_failure;
using asyncres::resource_options;
using testing::code_of;
using testing::code_or_exception_of;

namespace {

using counter = async_resource<asio::any_io_executor, int>;
using history = std::vector<std::string>;

// Runs the contexts until none has anything ready.
template <class... Contexts>
void settle(Contexts&... contexts) {
  for (bool more = true; more;) {
    (contexts.restart(), ...);
    more = (contexts.poll() + ...) > 0;
  }
}

// A resource that can neither be copied nor moved, and tells when it comes and goes.
class product {
 public:
  explicit product(history& events) : events_(events) { events_.push_back("made"); }
  product(const product&) = delete;
  ~product() { events_.push_back("destroyed"); }

  int use() {
    events_.push_back("used");
    return ++uses_;
  }

 private:
  history& events_;
  int uses_ = 0;
};

constexpr auto use = [](product& p) { return p.use(); };

constexpr auto fail = [](auto& resource) {
  ++resource;
  throw std::runtime_error("failed");
};

constexpr auto break_it = [](product& p) -> int {
  p.use();
  throw std::runtime_error("broken");
};

std::string message_of(std::exception_ptr e) {
  try {
    if (e) std::rethrow_exception(e);
  } catch (const std::exception& s) {
    return s.what();
  }
  return "nothing";
}

}  // namespace

TEMPLATE_TEST_CASE("a factory makes the resource at home, before the first function, once", "[async_resource][failure]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  std::atomic<int> made{0};
  std::atomic<int> made_elsewhere{0};
  int first = 0;
  int second = 0;
  {
    TestType home;
    auto strand = asio::make_strand(home.get_executor());
    using executor = typename TestType::context_type::executor_type;
    // Owns something, so that it can only be moved.
    auto factory = [&, owned = std::make_unique<int>(40)] {
      ++made;
      made_elsewhere += !strand.running_in_this_thread();
      return *owned;
    };
    const async_resource<executor, int> resource(strand, resource_options{}, from_factory, std::move(factory));
    CHECK(made == 0);
    auto one = resource.async_invoke([](int& n) { return ++n; }, asio::use_future);
    auto two = resource.async_invoke([](int& n) { return ++n; }, asio::use_future);
    first = one.get();
    second = two.get();
  }
  CHECK(first == 41);
  CHECK(second == 42);
  CHECK(made == 1);
  CHECK(made_elsewhere == 0);
}

TEST_CASE("a factory is not called where no function is", "[async_resource][failure]") {
  history events;
  auto owned = std::make_shared<int>();
  {
    asio::cancellation_signal signal;
    asio::io_context home;
    const async_resource<asio::any_io_executor, product> resource(home, resource_options{}, from_factory,
                                                                  [&events, owned] { return product(events); });
    SECTION("none was submitted") {}
    SECTION("it was cancelled") {
      resource.async_invoke(use, asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr, int) {}));
      signal.emit(asio::cancellation_type::terminal);
    }
    SECTION("the resource was closed") {
      std::optional<std::error_code> closed;
      resource.async_close([&](std::error_code e) { closed = e; });
      resource.async_invoke(use, [](std::exception_ptr, int) {});
      settle(home);
      CHECK(closed == std::error_code());
    }
    settle(home);
    CHECK(events.empty());
  }
  CHECK(events.empty());
  CHECK(owned.use_count() == 1);
}

TEST_CASE("what a factory throws fails that operation, and the next one calls it again", "[async_resource][failure]") {
  int calls = 0;
  std::exception_ptr to_throw;
  asio::io_context home;
  const counter resource(home, resource_options{}, from_factory, [&] {
    ++calls;
    if (to_throw) std::rethrow_exception(to_throw);
    return 5;
  });
  int called = 0;
  const auto function = [&](int& n) { return ++called, n; };
  const auto function_with_code = [&](int& n, std::error_code&) { return ++called, n; };

  to_throw = std::make_exception_ptr(std::out_of_range("no such file"));
  auto thrown = resource.async_invoke(function, asio::use_future);
  settle(home);
  CHECK_THROWS_MATCHES(thrown.get(), std::out_of_range, Catch::Matchers::Message("no such file"));

  std::vector<std::pair<std::error_code, int>> told;
  const auto tell = [&](std::error_code e, int n) { told.emplace_back(e, n); };
  const auto busy = std::make_error_code(std::errc::device_or_resource_busy);
  for (const auto& e : {std::make_exception_ptr(std::system_error(busy)), std::make_exception_ptr(std::bad_alloc()),
                        std::make_exception_ptr(42)}) {
    to_throw = e;
    resource.async_invoke(function_with_code, tell);
    settle(home);
  }
  CHECK(told == std::vector<std::pair<std::error_code, int>>{
                    {busy, 0}, {make_error_code(std::errc::not_enough_memory), 0}, {errc::exception, 0}});
  CHECK(called == 0);
  CHECK(calls == 4);

  to_throw = nullptr;
  auto succeeds = resource.async_invoke(function, asio::use_future);
  settle(home);
  CHECK(succeeds.get() == 5);
  CHECK(calls == 5);
}

TEST_CASE("what is no failure of the resource: an exception with propagate, an error_code that a function sets",
          "[async_resource][failure]") {
  const on_failure policy = GENERATE(on_failure::propagate, on_failure::poison);
  CAPTURE(int(policy));
  asio::io_context home;
  const counter resource(home, resource_options{.failure = policy}, std::in_place, 0);
  auto failed =
      policy == on_failure::propagate
          ? resource.async_invoke(fail, asio::use_future)
          : resource.async_invoke([](int& n, std::error_code& e) { ++n, e = errc::exception; }, asio::use_future);
  auto succeeded = resource.async_invoke([](int& n) { return ++n; }, asio::use_future);
  settle(home);
  CHECK_THROWS_AS(failed.get(), std::runtime_error);
  CHECK(succeeded.get() == 2);
  CHECK(resource.failure() == nullptr);
}

TEST_CASE("poison: nothing runs after a function that threw, and failure() says what it was",
          "[async_resource][failure]") {
  const bool with_code = GENERATE(false, true);
  const std::size_t max_pending = GENERATE(1u, 10u);  // With 1, the others wait for room.
  CAPTURE(with_code, max_pending);
  asio::io_context home;
  const counter resource(
      home,
      resource_options{.max_pending = max_pending, .full = asyncres::when_full::wait, .failure = on_failure::poison},
      std::in_place, 0);
  const counter copy = resource;
  std::vector<std::error_code> told;
  int called = 0;
  const auto submit = [&](const counter& handle) {
    handle.async_invoke([&](int&) { ++called; },
                        [&](std::exception_ptr e) { told.push_back(code_or_exception_of(e)); });
  };
  submit(resource);
  if (with_code)
    resource.async_invoke([](int&, std::error_code&) { throw std::runtime_error("failed"); },
                          [&](std::error_code e) { told.push_back(e); });
  else
    resource.async_invoke(fail, [&](std::exception_ptr e) { told.push_back(code_or_exception_of(e)); });
  submit(resource);
  submit(copy);
  CHECK(resource.failure() == nullptr);
  settle(home);
  const std::error_code poisoned = errc::poisoned;
  CHECK(told == std::vector<std::error_code>{{}, errc::exception, poisoned, poisoned});
  CHECK(message_of(resource.failure()) == "failed");
  CHECK(message_of(copy.failure()) == "failed");

  submit(resource);
  submit(copy);
  CHECK(told.size() == 4);
  settle(home);
  CHECK(told == std::vector<std::error_code>{{}, errc::exception, poisoned, poisoned, poisoned, poisoned});
  CHECK(called == 1);
  CHECK(message_of(resource.failure()) == "failed");
}

TEMPLATE_TEST_CASE("poison: functions that were queued die at home, uncalled, and so does the resource in the end",
                   "[async_resource][failure]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int queued = 100;
  struct mortal {
    asio::strand<asio::any_io_executor> strand;
    std::shared_ptr<std::atomic<int>> at_home;
    mortal(asio::strand<asio::any_io_executor> s, std::shared_ptr<std::atomic<int>> n)
        : strand(std::move(s)), at_home(std::move(n)) {}
    mortal(mortal&&) = default;
    ~mortal() {
      if (at_home) *at_home += strand.running_in_this_thread();
    }
  };
  const auto functions_at_home = std::make_shared<std::atomic<int>>(0);
  const auto resources_at_home = std::make_shared<std::atomic<int>>(0);
  std::atomic<int> called{0};
  std::atomic<int> poisoned{0};
  {
    TestType home;
    const asio::strand<asio::any_io_executor> strand(home.get_executor());
    testing::event go_on;
    {
      const async_resource<asio::any_io_executor, mortal> resource(
          strand, resource_options{.failure = on_failure::poison}, std::in_place, strand, resources_at_home);
      resource.async_invoke(
          [&](mortal&) {
            (void)go_on.wait();
            throw std::runtime_error("failed");
          },
          [](std::exception_ptr) {});
      for (int i = 0; i < queued; ++i)
        resource.async_invoke([&, self = mortal(strand, functions_at_home)](mortal&) { ++called; },
                              [&](std::exception_ptr e) { poisoned += code_or_exception_of(e) == errc::poisoned; });
      go_on.set();
    }
    home.join();
  }
  CHECK(called == 0);
  CHECK(poisoned == queued);
  CHECK(*functions_at_home == queued);
  CHECK(*resources_at_home == 1);
}

TEST_CASE("rebuild without a factory cannot be had", "[async_resource][failure]") {
  asio::io_context home;
  CHECK_THROWS_AS(counter(home, resource_options{.failure = on_failure::rebuild}, std::in_place, 0),
                  std::invalid_argument);
}

TEST_CASE("rebuild: after a function that threw the resource is made anew, and what is queued uses the new one",
          "[async_resource][failure]") {
  history events;
  std::vector<int> uses;
  asio::io_context home;
  const async_resource<asio::any_io_executor, product> resource(home, resource_options{.failure = on_failure::rebuild},
                                                                from_factory, [&] { return product(events); });
  const auto record = [&](std::exception_ptr e, int n) { uses.push_back(e ? -1 : n); };
  resource.async_invoke(use, record);
  resource.async_invoke(break_it, record);
  resource.async_invoke(use, record);
  resource.async_invoke(use, record);
  settle(home);
  CHECK(events == history{"made", "used", "used", "destroyed", "made", "used", "used"});
  CHECK(uses == std::vector{1, -1, 1, 2});
  CHECK(resource.failure() == nullptr);

  // Again, and the function that sets an error_code has not failed.
  events.clear();
  resource.async_invoke([](product& p, std::error_code& e) { return e = errc::exception, p.use(); }, asio::detached);
  resource.async_invoke(break_it, record);
  settle(home);
  resource.async_invoke(use, record);
  settle(home);
  CHECK(events == history{"used", "used", "destroyed", "made", "used"});
  CHECK(uses == std::vector{1, -1, 1, 2, -1, 1});
}

TEST_CASE("rebuild: a factory that throws fails the operation, and is called again for the next",
          "[async_resource][failure]") {
  history events;
  bool out_of_order = false;
  asio::io_context home;
  const async_resource<asio::any_io_executor, product> resource(home, resource_options{.failure = on_failure::rebuild},
                                                                from_factory, [&] {
                                                                  if (out_of_order)
                                                                    throw std::domain_error("out of order");
                                                                  return product(events);
                                                                });
  auto broken = resource.async_invoke(break_it, asio::use_future);
  settle(home);
  CHECK_THROWS_MATCHES(broken.get(), std::runtime_error, Catch::Matchers::Message("broken"));
  out_of_order = true;
  auto failed = resource.async_invoke(use, asio::use_future);
  settle(home);
  CHECK_THROWS_AS(failed.get(), std::domain_error);
  out_of_order = false;
  auto fine = resource.async_invoke(use, asio::use_future);
  settle(home);
  CHECK(fine.get() == 1);
  CHECK(events == history{"made", "used", "destroyed", "made", "used"});
}

TEMPLATE_TEST_CASE("rebuild: each resource is made and destroyed at home, and there is one at a time",
                   "[async_resource][failure]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int failures = 50;
  std::atomic<int> alive{0};
  std::atomic<int> made{0};
  std::atomic<int> misplaced{0};
  std::atomic<int> failed{0};
  {
    TestType home;
    auto strand = asio::make_strand(home.get_executor());
    const auto note = [&alive, &misplaced, strand](int change) {
      misplaced += !strand.running_in_this_thread();
      alive += change;
      misplaced += alive > 1;
    };
    struct tenant {
      explicit tenant(const decltype(note)& n) : tell(n) { tell(1); }
      tenant(const tenant&) = delete;
      ~tenant() { tell(-1); }
      decltype(note) tell;
    };
    using executor = typename TestType::context_type::executor_type;
    {
      const async_resource<executor, tenant> resource(strand, resource_options{.failure = on_failure::rebuild},
                                                      from_factory, [&made, note] {
                                                        ++made;
                                                        return tenant(note);
                                                      });
      for (int i = 0; i < 2 * failures; ++i)
        resource.async_invoke(
            [i](tenant&) {
              if (i % 2 == 0) throw std::runtime_error("failed");
            },
            [&](std::exception_ptr e) { failed += e != nullptr; });
    }
    home.join();
  }
  CHECK(failed == failures);
  CHECK(made == failures + 1);
  CHECK(alive == 0);
  CHECK(misplaced == 0);
}

TEST_CASE("each error of the library reaches the handler in the form of its function", "[async_resource][failure]") {
  enum class way { callback, code_callback, awaited, code_awaited };
  const way how = GENERATE(way::callback, way::code_callback, way::awaited, way::code_awaited);
  CAPTURE(int(how));
  int called = 0;
  int handled = 0;
  std::error_code code;
  int result = 0;
  const auto plain = [&](int&) { return ++called; };
  const auto with_code = [&](int&, std::error_code&) { return ++called; };
  const auto await = [&](const counter& resource) -> asio::awaitable<void> {
    try {
      if (how == way::awaited)
        result = co_await resource.async_invoke(plain);
      else
        result = co_await resource.async_invoke(with_code);
    } catch (const std::system_error& e) {
      code = e.code();
    }
    ++handled;
  };
  asio::io_context home;
  asio::io_context callers;
  const auto ask = [&](const counter& resource) {
    switch (how) {
      case way::callback:
        resource.async_invoke(plain, asio::bind_executor(callers, [&](std::exception_ptr e, int n) {
                                result = n;
                                ++handled;
                                code = code_of(e);
                              }));
        break;
      case way::code_callback:
        resource.async_invoke(with_code, asio::bind_executor(callers, [&](std::error_code e, int n) {
                                code = e;
                                result = n;
                                ++handled;
                              }));
        break;
      case way::awaited:
      case way::code_awaited: asio::co_spawn(callers, await(resource), asio::detached); break;
    }
  };
  const auto make = [&](const resource_options& options) { return counter(home, options, std::in_place, 0); };
  std::error_code expected;

  SECTION("queue_full") {
    expected = errc::queue_full;
    const auto resource = make({.max_pending = 1});
    resource.async_invoke([](int&) {}, asio::detached);
    ask(resource);
    callers.poll();
  }
  SECTION("timed_out_queued") {
    expected = errc::timed_out_queued;
    const auto resource = make({.max_wait = std::chrono::milliseconds(1)});
    ask(resource);
    callers.run();
  }
  SECTION("closed") {
    expected = errc::closed;
    const auto resource = make({});
    resource.async_close(asio::detached);
    ask(resource);
    settle(home, callers);
  }
  SECTION("poisoned") {
    expected = errc::poisoned;
    const auto resource = make({.failure = asyncres::on_failure::poison});
    resource.async_invoke([](int&) { throw std::runtime_error("poison"); }, asio::detached);
    SECTION("while queued") {
      ask(resource);
      callers.poll();
    }
    SECTION("from the beginning") {
      home.poll();
      ask(resource);
    }
    settle(home, callers);
  }
  SECTION("operation_aborted") {
    expected = asio::error::operation_aborted;
    const auto resource = make({});
    ask(resource);
    callers.poll();
    resource.cancel();
    settle(home, callers);
  }
  CHECK(handled == 1);
  CHECK(code == expected);
  CHECK(result == 0);
  home.restart();
  home.run();
  CHECK(called == 0);
}
