// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/home_ptr.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"
#include "support/executors.hpp"

// A resource may be used from within whatever it calls: its functions, handlers, observers, factory, and destructors of
// what it was given. Never a deadlock; where one would be, CTest's time limit ends the test.

using asyncres::async_resource;
using asyncres::cancellation_view;
using asyncres::errc;
using asyncres::on_failure;
using asyncres::resource_options;
using asyncres::when_full;

namespace {

using counter = async_resource<asio::any_io_executor, int>;

// Everything that can be asked of a resource without waiting.
template <class Handle>
void ask_everything(const Handle& resource) {
  (void)resource.stats();
  (void)resource.failure();
  const auto copy = resource;
  (void)(copy == resource);
}

// Calls something when it is destroyed, wherever that is.
class parting {
 public:
  explicit parting(std::function<void()> last_words) : last_words_(std::move(last_words)) {}
  parting(parting&& other) noexcept : last_words_(std::exchange(other.last_words_, nullptr)) {}
  parting& operator=(parting&&) = delete;
  ~parting() {
    if (last_words_) last_words_();
  }

 private:
  std::function<void()> last_words_;
};

}  // namespace

TEMPLATE_TEST_CASE("a function may submit to its own resource, as often as it likes", "[async_resource][reentrancy]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int depth = 2'000;
  const when_full full = GENERATE(when_full::reject, when_full::wait);
  const std::size_t max_pending = GENERATE(std::size_t{1}, asyncres::unlimited);
  CAPTURE(int(full), max_pending);
  std::atomic<int> run{0};
  std::atomic<int> handled{0};
  {
    TestType home;
    const counter resource(home.context(), resource_options{.max_pending = max_pending, .full = full}, std::in_place,
                           0);
    const std::function<void(int)> submit = [&](int n) {
      resource.async_invoke(
          [&, n](int&) {
            ++run;
            ask_everything(resource);
            if (n > 1) submit(n - 1);
          },
          [&](std::exception_ptr e) { handled += !e; });
    };
    submit(depth);
    home.join();
  }
  CHECK(run == depth);
  CHECK(handled == depth);
}

TEMPLATE_TEST_CASE("a handler may submit to the resource that it comes from, and close it",
                   "[async_resource][reentrancy]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int rounds = 1'000;
  const bool on_strand = GENERATE(false, true);
  CAPTURE(on_strand);
  std::atomic<int> run{0};
  std::atomic<int> handled{0};
  std::atomic<bool> closed{false};
  {
    TestType home;
    const counter resource(home.context(), 0);
    const asio::any_io_executor executor =
        on_strand ? asio::any_io_executor(resource.get_executor()) : asio::any_io_executor(home.get_executor());
    const std::function<void(int)> submit = [&](int n) {
      resource.async_invoke([&](int&) { ++run; }, asio::bind_executor(executor, [&, n](std::exception_ptr e) {
                              handled += !e;
                              ask_everything(resource);
                              if (n > 1) return submit(n - 1);
                              resource.cancel();
                              resource.async_close([&](std::error_code error) { closed = !error; });
                            }));
    };
    submit(rounds);
    home.join();
  }
  CHECK(run == rounds);
  CHECK(handled == rounds);
  CHECK(closed);
}

namespace {

// Functions of two resources that submit to the other one, `n` times in all; then `finish` waits for both contexts.
// Returns how many ran.
int play(const counter& a, const counter& b, int n, const std::function<void()>& finish) {
  testing::event over;
  std::atomic<int> run{0};
  std::atomic<int> handled{0};
  const std::function<void(const counter&, const counter&, int)> hit = [&](const counter& here, const counter& there,
                                                                           int left) {
    here.async_invoke(
        [&, left](int&) {
          ++run;
          ask_everything(here);
          ask_everything(there);
          if (left > 1) hit(there, here, left - 1);
        },
        [&, left](std::exception_ptr e) {
          handled += !e;
          if (left == 1) over.set();
        });
  };
  hit(a, b, n);
  (void)over.wait();
  finish();
  return handled == run ? run.load() : -1;
}

}  // namespace

TEMPLATE_TEST_CASE("A calls B calls A, wherever they live", "[async_resource][reentrancy]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int calls = 2'000;
  const std::size_t max_pending = GENERATE(std::size_t{1}, asyncres::unlimited);
  CAPTURE(max_pending);
  const resource_options options{.max_pending = max_pending};
  TestType home;
  TestType other_home;
  const auto finish = [&] {
    home.join();
    other_home.join();
  };
  SECTION("with homes of their own on one context") {
    const counter a(home.context(), options, std::in_place, 0);
    const counter b(home.context(), options, std::in_place, 0);
    CHECK(play(a, b, calls, finish) == calls);
  }
  SECTION("on one strand") {
    const asio::strand<asio::any_io_executor> strand(home.get_executor());
    const counter a(strand, options, std::in_place, 0);
    const counter b(strand, options, std::in_place, 0);
    CHECK(play(a, b, calls, finish) == calls);
  }
  SECTION("on two contexts") {
    const counter a(home.context(), options, std::in_place, 0);
    const counter b(other_home.context(), options, std::in_place, 0);
    CHECK(play(a, b, calls, finish) == calls);
  }
}

TEST_CASE("a function may wait for another resource, whose functions use the first", "[async_resource][reentrancy]") {
  constexpr int rounds = 200;
  std::atomic<int> sum{0};
  {
    testing::pool_1 home_of_a;
    testing::pool_1 home_of_b;
    const counter a(home_of_a.context(), 0);
    const counter b(home_of_b.context(), 0);
    for (int i = 0; i < rounds; ++i)
      a.async_invoke(
          [&](int& n) {
            auto from_b = b.async_invoke(
                [&](int& m) {
                  a.async_invoke([&](int&) { ++sum; }, asio::detached);
                  return ++m;
                },
                asio::use_future);
            n = from_b.get();
          },
          asio::detached);
    const int last = a.async_invoke([](int& n) { return n; }, asio::use_future).get();
    sum += last;
    home_of_a.join();
    home_of_b.join();
  }
  CHECK(sum == 2 * rounds);
}

TEMPLATE_TEST_CASE("a coroutine that runs on a resource's strand may await that resource",
                   "[async_resource][reentrancy]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int visitors = 20;
  constexpr int visits = 100;
  std::atomic<int> arrived{0};
  std::uint64_t completed = 0;
  {
    TestType home;
    const counter resource(home.context(), 0);
    const counter other(home.context(), 0);
    const auto visit = [&]() -> asio::awaitable<void> {
      for (int i = 0; i < visits; ++i) {
        co_await resource.async_invoke([](int& n) { ++n; });
        co_await other.async_invoke([](int& n) { ++n; });
      }
      ++arrived;
    };
    for (int i = 0; i < visitors; ++i) asio::co_spawn(resource.get_executor(), visit(), asio::detached);
    home.join();
    completed = resource.stats().completed;
  }
  CHECK(arrived == visitors);
  CHECK(completed == visitors * visits);
}

TEST_CASE("a function may cancel its own resource: what is queued is aborted, what it submits then runs",
          "[async_resource][reentrancy]") {
  asio::io_context home;
  const counter resource(home, 0);
  bool asked = false;
  std::vector<std::pair<char, std::error_code>> told;
  const auto submit = [&](char name) {
    resource.async_invoke([](int&, std::error_code&) {}, [&, name](std::error_code e) { told.emplace_back(name, e); });
  };
  resource.async_invoke(
      [&](int&, cancellation_view view) {
        submit('b');
        resource.cancel();
        asked = view.requested();
        submit('c');
      },
      asio::detached);
  submit('a');
  home.run();
  std::sort(told.begin(), told.end());
  CHECK(asked);
  CHECK(told == std::vector<std::pair<char, std::error_code>>{
                    {'a', asio::error::operation_aborted}, {'b', asio::error::operation_aborted}, {'c', {}}});
}

TEST_CASE("a handler called inside the initiating function may submit again", "[async_resource][reentrancy]") {
  constexpr int attempts = 50;
  asio::io_context home;
  const counter resource(home, resource_options{.max_pending = 1}, std::in_place, 0);
  int rejected = 0;
  const std::function<void(int)> submit = [&](int n) {
    resource.async_invoke([](int&, std::error_code&) {},
                          asio::bind_immediate_executor(testing::eager_executor(home), [&, n](std::error_code e) {
                            rejected += e == errc::queue_full;
                            ask_everything(resource);
                            if (n > 1) submit(n - 1);
                          }));
  };
  resource.async_invoke([](int&) {}, asio::detached);
  submit(attempts);
  CHECK(rejected == attempts);
  home.run();
}

TEMPLATE_TEST_CASE("a factory may use the resource that it makes", "[async_resource][reentrancy]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  std::atomic<int> made{0};
  std::atomic<int> run{0};
  std::atomic<int> failed{0};
  {
    TestType home;
    std::optional<counter> resource;
    resource.emplace(home.context(), resource_options{.failure = on_failure::rebuild}, asyncres::from_factory, [&] {
      ask_everything(*resource);
      resource->async_invoke([&](int&) { ++run; }, asio::detached);
      return ++made;
    });
    resource->async_invoke([](int&) { throw std::runtime_error("failed"); },
                           [&](std::exception_ptr e) { failed += e != nullptr; });
    resource->async_invoke([&](int&) { ++run; }, asio::detached);
    home.join();
  }
  CHECK(made == 2);
  CHECK(failed == 1);
  CHECK(run == 3);
}

namespace {

struct interruptible {
  std::function<void()> on_interrupt;
  friend void interrupt(interruptible& r) { r.on_interrupt(); }
};

}  // namespace

TEMPLATE_TEST_CASE("an interrupt may use the resource that it interrupts, as long as it does not wait",
                   "[async_resource][reentrancy]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  std::atomic<int> interrupts{0};
  std::atomic<int> run{0};
  {
    testing::event running;
    testing::event go_on;
    TestType home;
    std::optional<async_resource<asio::any_io_executor, interruptible>> resource;
    resource.emplace(home.context(), [&] {
      ++interrupts;
      ask_everything(*resource);
      resource->async_invoke([&](interruptible&) { ++run; }, asio::detached);
      resource->cancel();
      resource->async_invoke([&](interruptible&) { ++run; }, asio::detached);
      go_on.set();
    });
    resource->async_invoke([&](interruptible&) { running.set(), (void)go_on.wait(); }, asio::detached);
    (void)running.wait();
    resource->cancel();
    home.join();
  }
  CHECK(interrupts == 1);
  CHECK(run == 1);
}

namespace {

enum class what { queued, started, finished, rejected, cancelled };

struct reacting {
  static inline std::function<void(what)> react;

  void on_queued(std::uint64_t) { tell(what::queued); }
  void on_started(std::uint64_t) { tell(what::started); }
  void on_finished(std::uint64_t) { tell(what::finished); }
  void on_rejected(std::uint64_t) { tell(what::rejected); }
  void on_cancelled(std::uint64_t) { tell(what::cancelled); }

  static void tell(what happened) {
    if (react) react(happened);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("an observer may use the resource that it observes", "[async_resource][reentrancy]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  const what when = GENERATE(what::queued, what::started, what::finished, what::rejected, what::cancelled);
  const bool cancels = GENERATE(false, true);
  CAPTURE(int(when), cancels);
  std::atomic<bool> reacted{false};
  std::atomic<int> handled{0};
  asio::cancellation_signal signal;
  std::atomic<int> submitted{0};
  bool was_running = false;
  {
    testing::event running;
    testing::event go_on;
    TestType home;
    const async_resource<asio::any_io_executor, int, reacting> resource(
        home.context(), resource_options{.max_pending = 3}, std::in_place, 0);
    const auto handler = [&](std::exception_ptr) { ++handled; };
    const auto submit = [&] {
      ++submitted;
      resource.async_invoke([](int&) {}, handler);
    };
    // The first one runs, the second is cancelled, the fifth rejected.
    ++submitted;
    resource.async_invoke([&](int&) { running.set(), (void)go_on.wait(); }, handler);
    was_running = running.wait();
    reacting::react = [&](what happened) {
      if (happened != when || reacted.exchange(true)) return;
      ask_everything(resource);
      if (cancels) resource.cancel();
      submit();
    };
    ++submitted;
    resource.async_invoke([](int&) {}, asio::bind_cancellation_slot(signal.slot(), handler));
    for (int i = 0; i < 3; ++i) submit();
    signal.emit(asio::cancellation_type::total);
    go_on.set();
    home.join();
    reacting::react = nullptr;
  }
  CHECK(was_running);
  CHECK(reacted);
  CHECK(submitted == 6);
  CHECK(handled == submitted);
}

TEMPLATE_TEST_CASE("what a resource was given may use it in its destructor", "[async_resource][reentrancy]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  std::atomic<int> run{0};
  std::atomic<int> partings{0};
  {
    asio::cancellation_signal signal;
    testing::event running;
    testing::event go_on;
    TestType home;
    const counter resource(home.context(), resource_options{.max_pending = 6}, std::in_place, 0);
    const auto submit_at_the_end = [&] {
      return parting([&] {
        ++partings;
        ask_everything(resource);
        resource.async_invoke([&](int&) { ++run; }, asio::detached);
      });
    };
    // A function that ran, one that was cancelled, and one that was rejected; a handler, a result, and what a home_ptr
    // points to.
    resource.async_invoke([&, last = submit_at_the_end()](int&) { running.set(), (void)go_on.wait(); },
                          [last = submit_at_the_end()](std::exception_ptr) {});
    (void)running.wait();
    resource.async_invoke([last = submit_at_the_end()](int&) {},
                          asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr) {}));
    signal.emit(asio::cancellation_type::total);
    resource.async_invoke([&](int&) { return std::make_unique<parting>(submit_at_the_end()); }, asio::detached);
    resource.async_invoke([&](int&) { return asyncres::make_home_ptr<parting>(resource, submit_at_the_end()); },
                          asio::detached);
    for (int i = 0; i < 3; ++i) resource.async_invoke([](int&) {}, asio::detached);
    resource.async_invoke([last = submit_at_the_end()](int&) {}, [](std::exception_ptr) {});
    go_on.set();
    home.join();
  }
  CHECK(partings == 6);
  CHECK(run <= 6);
  CHECK(run >= 1);
}

TEST_CASE("a resource may be used by its own destructor, in vain", "[async_resource][reentrancy]") {
  std::optional<std::error_code> told;
  std::optional<async_resource<asio::any_io_executor, parting>> resource;
  asio::io_context callers;
  auto home = std::make_unique<asio::io_context>();
  resource.emplace(*home, [&] {
    ask_everything(*resource);
    resource->async_invoke([](parting&, std::error_code&) {},
                           asio::bind_executor(callers, [&](std::error_code e) { told = e; }));
  });
  SECTION("closed") {
    resource->async_close(asio::detached);
    home->run();
  }
  SECTION("its context shut down") {
    home.reset();
  }
  callers.run();
  CHECK(told == errc::closed);
}
