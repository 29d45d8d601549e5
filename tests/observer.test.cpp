// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/home_ptr.hpp>
#include <async_resource/observer.hpp>
#include <async_resource/pool.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// What an observer is told, where, and when.

using asyncres::async_resource;
using asyncres::close_mode;
using asyncres::on_failure;
using asyncres::resource_options;

namespace {

// What happens to an operation: five things that an observer is told, and two that it is not.
enum class what { queued, started, finished, rejected, cancelled, function, handler };

struct entry {
  what happened;
  std::uint64_t id;
  std::thread::id thread;
  bool at_home;
};

// What observers are told while it lives.
class journal {
 public:
  journal() { current_ = this; }
  journal(const journal&) = delete;
  ~journal() { current_ = nullptr; }

  static void note(what happened, std::uint64_t id = 0) {
    if (!current_) return;
    const bool at_home = current_->at_home && current_->at_home();
    current_->entries_.add({happened, id, std::this_thread::get_id(), at_home});
  }

  std::vector<entry> entries() const { return entries_.values(); }

  std::vector<what> events() const {
    std::vector<what> result;
    for (const auto& each : entries()) result.push_back(each.happened);
    return result;
  }

  std::map<std::uint64_t, std::vector<what>> by_id() const {
    std::map<std::uint64_t, std::vector<what>> result;
    for (const auto& each : entries())
      if (each.id != 0) result[each.id].push_back(each.happened);
    return result;
  }

  // Set once, before operations are submitted.
  std::function<bool()> at_home;

 private:
  static inline journal* current_ = nullptr;
  testing::log<entry> entries_;
};

std::atomic<int> recorders_alive{0};
std::atomic<int> recorders_made{0};

// Told of everything. Can neither be copied nor moved.
class recorder {
 public:
  recorder() { ++recorders_alive, ++recorders_made; }
  recorder(const recorder&) = delete;
  ~recorder() { --recorders_alive; }

  void on_queued(std::uint64_t id) { journal::note(what::queued, id); }
  void on_started(std::uint64_t id) { journal::note(what::started, id); }
  void on_finished(std::uint64_t id) { journal::note(what::finished, id); }
  void on_rejected(std::uint64_t id) { journal::note(what::rejected, id); }
  void on_cancelled(std::uint64_t id) { journal::note(what::cancelled, id); }
};

using observed = async_resource<asio::any_io_executor, int, recorder>;
using observed_pool = asyncres::async_resource_pool<asio::any_io_executor, int, recorder>;

// One resource, or a pool of one.
template <class Handle>
Handle make(asio::io_context& home, const resource_options& options = {}) {
  if constexpr (std::is_same_v<Handle, observed>)
    return Handle(home, options, std::in_place, 0);
  else
    return Handle(home, 1, [](std::size_t) { return 0; }, options);
}

constexpr auto nothing = [](int&) {};
constexpr auto failing = [](int&) { throw std::runtime_error("failed"); };
constexpr auto ignore = [](std::exception_ptr) {};

using story = std::vector<what>;
const story ran{what::queued, what::started, what::finished};
const story cancelled{what::queued, what::cancelled};
const story rejected{what::rejected};
const story rejected_later{what::queued, what::rejected};

std::vector<story> stories(const journal& told) {
  std::vector<story> result;
  for (const auto& [id, events] : told.by_id()) result.push_back(events);
  return result;
}

void settle(asio::io_context& context) {
  context.restart();
  context.poll();
}

}  // namespace

TEST_CASE("without an observer there is no_observer, and a rebound handle keeps its own",
          "[async_resource][observer]") {
  using plain = async_resource<asio::any_io_executor, int>;
  STATIC_REQUIRE(std::is_same_v<plain, async_resource<asio::any_io_executor, int, asyncres::no_observer>>);
  STATIC_REQUIRE_FALSE(std::is_same_v<plain, observed>);
  using io_executor = asio::io_context::executor_type;
  STATIC_REQUIRE(
      std::is_same_v<observed::rebind_executor<io_executor>::other, async_resource<io_executor, int, recorder>>);
  using defaulted = asio::use_awaitable_t<>::as_default_on_t<observed>;
  using default_executor = asio::use_awaitable_t<>::executor_with_default<asio::any_io_executor>;
  STATIC_REQUIRE(std::is_same_v<defaulted, async_resource<default_executor, int, recorder>>);
}

TEST_CASE("an observer is told before and after the function, and before the handler", "[async_resource][observer]") {
  const bool throws = GENERATE(false, true);
  CAPTURE(throws);
  journal told;
  asio::io_context home;
  const observed resource(home, 0);
  told.at_home = [&] { return resource.get_executor().running_in_this_thread(); };
  resource.async_invoke(
      [throws](int&) {
        journal::note(what::function);
        if (throws) throw std::runtime_error("thrown");
      },
      [](std::exception_ptr) { journal::note(what::handler); });
  CHECK(told.events() == story{what::queued});
  settle(home);
  CHECK(told.events() == story{what::queued, what::started, what::function, what::finished, what::handler});
  const auto entries = told.entries();
  REQUIRE(entries.size() == 5);
  CHECK(entries[0].id != 0);
  CHECK(entries[1].id == entries[0].id);
  CHECK(entries[3].id == entries[0].id);
  CHECK_FALSE(entries[0].at_home);
  CHECK(entries[1].at_home);
  CHECK(entries[3].at_home);
}

TEMPLATE_TEST_CASE("an observer is told how an operation ends that does not run", "[async_resource][observer]", observed,
                   observed_pool) {
  journal told;
  asio::cancellation_signal signal;
  asio::io_context home;
  asio::io_context callers;
  SECTION("cancelled, by its slot: at once") {
    const auto resource = make<TestType>(home);
    resource.async_invoke(nothing, asio::bind_cancellation_slot(signal.slot(), ignore));
    signal.emit(asio::cancellation_type::terminal);
    CHECK(told.events() == cancelled);
    signal.emit(asio::cancellation_type::terminal);
    settle(home);
    CHECK(stories(told) == std::vector<story>{cancelled});
  }
  SECTION("cancelled, by cancel()") {
    const auto resource = make<TestType>(home);
    resource.async_invoke(nothing, ignore);
    resource.cancel();
    settle(home);
    CHECK(stories(told) == std::vector<story>{cancelled});
  }
  SECTION("cancelled, by a close") {
    const auto resource = make<TestType>(home);
    resource.async_invoke(nothing, ignore);
    resource.async_close(close_mode::cancel, asio::detached);
    settle(home);
    CHECK(stories(told) == std::vector<story>{cancelled});
  }
  SECTION("timed out") {
    const auto resource = make<TestType>(home, resource_options{.max_wait = std::chrono::milliseconds(1)});
    resource.async_invoke(nothing, asio::bind_executor(callers, ignore));
    callers.run();
    settle(home);
    CHECK(stories(told) == std::vector<story>{cancelled});
  }
  SECTION("rejected, in the initiating function, the queue being full") {
    const auto resource = make<TestType>(home, resource_options{.max_pending = 1});
    resource.async_invoke(nothing, ignore);
    resource.async_invoke(nothing, ignore);
    CHECK(told.events() == story{what::queued, what::rejected});
    settle(home);
    CHECK(stories(told) == std::vector<story>{ran, rejected});
  }
  SECTION("rejected, the resource being closed") {
    const auto resource = make<TestType>(home);
    resource.async_close(asio::detached);
    resource.async_invoke(nothing, ignore);
    settle(home);
    resource.async_invoke(nothing, ignore);
    settle(home);
    CHECK(stories(told) == std::vector<story>{rejected, rejected});
  }
  SECTION("rejected, the resource being poisoned, while it was queued and later") {
    const auto resource = make<TestType>(home, resource_options{.failure = on_failure::poison});
    resource.async_invoke(failing, ignore);
    resource.async_invoke(nothing, ignore);
    settle(home);
    resource.async_invoke(nothing, ignore);
    settle(home);
    // The last one by home, or in the initiating function.
    const auto all = stories(told);
    REQUIRE(all.size() == 3);
    CHECK(all[0] == ran);
    CHECK(all[1] == rejected_later);
    CHECK((all[2] == rejected || all[2] == rejected_later));
  }
  SECTION("rejected, home's context having been shut down") {
    auto short_lived = std::make_unique<asio::io_context>();
    const auto resource = make<TestType>(*short_lived);
    short_lived.reset();
    resource.async_invoke(nothing, asio::bind_executor(callers, ignore));
    CHECK(told.events() == rejected);
    callers.run();
    CHECK(stories(told) == std::vector<story>{rejected});
  }
}

TEST_CASE("an operation that waits for room is told of as one that was queued", "[async_resource][observer]") {
  constexpr std::size_t total = 10;
  journal told;
  asio::io_context home;
  const observed resource(home, resource_options{.max_pending = 2, .full = asyncres::when_full::wait}, std::in_place,
                          0);
  for (std::size_t i = 0; i < total; ++i) resource.async_invoke(nothing, asio::detached);
  settle(home);
  CHECK(stories(told) == std::vector<story>(total, ran));
}

TEST_CASE("an operation cancelled while it runs has run", "[async_resource][observer]") {
  journal told;
  asio::cancellation_signal signal;
  asio::io_context home;
  const observed resource(home, 0);
  resource.async_invoke([&](int&) { signal.emit(asio::cancellation_type::terminal); },
                        asio::bind_cancellation_slot(signal.slot(), ignore));
  settle(home);
  CHECK(stories(told) == std::vector<story>{ran});
}

TEST_CASE("nothing is told of closes, home_ptrs, and operations that were not started", "[async_resource][observer]") {
  journal told;
  asio::io_context home;
  const observed resource(home, 0);
  { const auto unstarted = resource.async_invoke(nothing, asio::deferred); }
  asyncres::home_ptr<int> pointer;
  resource.async_invoke([&](int&) { pointer = asyncres::make_home_ptr<int>(resource, 1); }, asio::detached);
  settle(home);
  CHECK(told.events() == ran);
  pointer.reset();
  settle(home);
  resource.async_close(asio::detached);
  settle(home);
  CHECK(told.events() == ran);
}

TEST_CASE("an id is one operation's alone, whichever resource it is for", "[async_resource][observer]") {
  constexpr std::size_t each = 100;
  journal told;
  asio::io_context home;
  const observed one(home, 0);
  const async_resource<asio::io_context::executor_type, std::pair<int, int>, recorder> other(home, 0, 0);
  for (std::size_t i = 0; i < each; ++i) {
    one.async_invoke(nothing, asio::detached);
    other.async_invoke([](auto&) {}, asio::detached);
  }
  settle(home);
  CHECK(stories(told) == std::vector<story>(2 * each, ran));
  CHECK(told.by_id().begin()->first > 0);
}

TEMPLATE_TEST_CASE("an observer is made with the resource, one for all its handles, and goes after the last operation",
                   "[async_resource][observer]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  const int before = recorders_made;
  std::atomic<int> without{0};
  int made = 0;
  {
    TestType home;
    {
      const observed resource(home.context(), 0);
      const observed copy = resource;
      made = recorders_made - before;
      for (int i = 0; i < 100; ++i) copy.async_invoke([&](int&) { without += recorders_alive != 1; }, asio::detached);
    }
    home.join();
  }
  CHECK(made == 1);
  CHECK(recorders_made - before == 1);
  CHECK(recorders_alive == 0);
  CHECK(without == 0);
}

TEMPLATE_TEST_CASE("of each operation the beginning and one end are told, where they should be, whatever becomes of it",
                   "[async_resource][observer]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr std::size_t senders = 3;
  constexpr std::size_t each = 1'000;
  journal told;
  std::array<std::list<asio::cancellation_signal>, senders> signals;
  std::set<std::thread::id> sender_threads;
  std::atomic<std::size_t> handled{0};
  {
    TestType home;
    const observed resource(home.context(), resource_options{.max_pending = 50}, std::in_place, 0);
    told.at_home = [&] { return resource.get_executor().running_in_this_thread(); };
    std::vector<std::thread> threads;
    for (auto& mine : signals)
      threads.emplace_back([&] {
        for (std::size_t i = 0; i < each; ++i) {
          auto& signal = mine.emplace_back();
          const auto function = [i](int&) {
            if (i % 3 == 1) throw std::runtime_error("failed");
          };
          resource.async_invoke(function,
                                asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { ++handled; }));
          if (i % 2 == 1) signal.emit(asio::cancellation_type::terminal);
        }
      });
    for (auto& thread : threads) sender_threads.insert(thread.get_id());
    for (auto& thread : threads) thread.join();
    home.join();
  }
  CHECK(handled == senders * each);
  std::size_t operations = 0;
  std::size_t unlikely = 0;
  for (const auto& events : stories(told)) {
    ++operations;
    unlikely += events != ran && events != cancelled && events != rejected;
  }
  CHECK(operations == senders * each);
  CHECK(unlikely == 0);
  std::size_t misplaced = 0;
  for (const auto& [happened, id, thread, at_home] : told.entries()) {
    if (happened == what::started || happened == what::finished) misplaced += !at_home;
    if (happened == what::queued || happened == what::rejected) misplaced += !sender_threads.contains(thread);
  }
  CHECK(misplaced == 0);
}

namespace {

struct sees_queued {
  void on_queued(std::uint64_t id) const noexcept { journal::note(what::queued, id); }
};
struct sees_started {
  static void on_started(std::uint64_t id) { journal::note(what::started, id); }
};
struct sees_finished {
  void on_finished(std::uint64_t id) noexcept { journal::note(what::finished, id); }
};
struct sees_rejected {
  void on_rejected(std::uint64_t id) { journal::note(what::rejected, id); }
};
struct sees_cancelled {
  void on_cancelled(std::uint64_t id) { journal::note(what::cancelled, id); }
};
struct sees_nothing {};

}  // namespace

TEMPLATE_TEST_CASE("an observer need not be interested in everything", "[async_resource][observer]", sees_queued,
                   sees_started, sees_finished, sees_rejected, sees_cancelled, sees_nothing) {
  journal told;
  asio::cancellation_signal signal;
  asio::io_context home;
  const async_resource<asio::any_io_executor, int, TestType> resource(home, resource_options{.max_pending = 3},
                                                                      std::in_place, 0);
  resource.async_invoke(nothing, ignore);
  resource.async_invoke(failing, ignore);
  resource.async_invoke(nothing, asio::bind_cancellation_slot(signal.slot(), ignore));
  resource.async_invoke(nothing, ignore);
  signal.emit(asio::cancellation_type::terminal);
  settle(home);
  story expected;
  if constexpr (std::is_same_v<TestType, sees_queued>) expected.assign(3, what::queued);
  if constexpr (std::is_same_v<TestType, sees_started>) expected.assign(2, what::started);
  if constexpr (std::is_same_v<TestType, sees_finished>) expected.assign(2, what::finished);
  if constexpr (std::is_same_v<TestType, sees_rejected>) expected.assign(1, what::rejected);
  if constexpr (std::is_same_v<TestType, sees_cancelled>) expected.assign(1, what::cancelled);
  CHECK(told.events() == expected);
}
