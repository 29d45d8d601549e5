// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/double_dispatch.hpp>
#include <async_resource/home_ptr.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// Promise 8 under load: contexts that come and go while others submit, run and complete. What to look for is in the
// counts here, and in what the sanitizers say.

using asyncres::async_resource;
using asyncres::home_ptr;
using asyncres::make_home_ptr;

namespace {

// Counts what becomes of handlers: each is called once and destroyed once, or destroyed only.
struct ledger {
  std::atomic<int> made{0};
  std::atomic<int> called{0};
  std::atomic<int> called_again{0};
  std::atomic<int> destroyed{0};
};

class counted_handler {
 public:
  explicit counted_handler(ledger& l) : ledger_(&l) { ++ledger_->made; }
  counted_handler(counted_handler&& other) noexcept
      : ledger_(std::exchange(other.ledger_, nullptr)), called_(other.called_) {}
  ~counted_handler() {
    if (ledger_) ++ledger_->destroyed;
  }

  template <class... Args>
  void operator()(Args&&...) {
    if (std::exchange(called_, true)) ++ledger_->called_again;
    ++ledger_->called;
  }

 private:
  ledger* ledger_;
  bool called_ = false;
};

}  // namespace

TEMPLATE_TEST_CASE("callers whose contexts come and go lose no handler, and no result dies away from home",
                   "[async_resource][races]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int rounds = 60;
  constexpr int each = 40;
  ledger handlers;
  std::atomic<int> results{0};
  std::atomic<int> results_gone{0};
  struct result {
    explicit result(std::atomic<int>& g) : gone(&g) {}
    ~result() { ++*gone; }
    std::atomic<int>* gone;
  };
  {
    TestType home;
    async_resource<asio::any_io_executor, int> resource(home.context(), 0);
    for (int round = 0; round < rounds; ++round) {
      testing::io_1 callers;
      testing::event some;
      for (int i = 0; i < each; ++i)
        resource.async_invoke(
            [&, i](int&) {
              if (i == each / 2) some.set();
              ++results;
              return std::make_unique<result>(results_gone);
            },
            asio::bind_executor(callers.get_executor(), counted_handler(handlers)));
      const bool was_some = some.wait();
      callers.shut_down();
      if (!was_some) break;
    }
    home.join();
  }
  CHECK(handlers.made == rounds * each);
  CHECK(handlers.destroyed == handlers.made);
  CHECK(handlers.called_again == 0);
  CHECK(results == rounds * each);
  CHECK(results_gone == results);
}

TEMPLATE_TEST_CASE("a home that goes while others submit to it loses no handler", "[async_resource][races]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int rounds = 20;
  ledger handlers;
  std::atomic<int> closed{0};
  {
    testing::io_4 callers;
    for (int round = 0; round < rounds; ++round) {
      TestType home;
      async_resource<asio::any_io_executor, int> resource(home.context(), 0);
      const auto enough = std::make_shared<std::atomic<bool>>(false);
      std::vector<std::thread> submitters;
      testing::event running;
      for (int t = 0; t < 2; ++t)
        submitters.emplace_back([&, t] {
          for (int i = 0; !*enough; ++i) {
            resource.async_invoke(
                [&, t, i](int&, std::error_code&) {
                  if (t == 0 && i == 5) running.set();
                },
                asio::bind_executor(callers.get_executor(),
                                    [&, enough, handler = counted_handler(handlers)](std::error_code e) mutable {
                                      handler();
                                      if (e != asyncres::errc::closed) return;
                                      ++closed;
                                      *enough = true;
                                    }));
          }
        });
      const bool was_running = running.wait();
      home.shut_down();
      for (auto& thread : submitters) thread.join();
      if (!was_running) break;
    }
  }
  CHECK(handlers.destroyed == handlers.made);
  CHECK(handlers.called_again == 0);
  CHECK(closed >= rounds);
}

TEST_CASE("a home that was used as a handler's context before it had a strand goes as well",
          "[async_resource][races]") {
  // The order in which a context shuts its services down is that in which they were first used.
  ledger handlers;
  for (int round = 0; round < 100; ++round) {
    testing::io_1 callers;
    auto home = std::make_unique<asio::io_context>();
    asyncres::double_dispatch(
        asio::system_executor(), [] {}, asio::bind_executor(*home, [](std::exception_ptr) {}));
    home->run();
    async_resource<asio::any_io_executor, int> resource(*home, 0);
    testing::event submitting;
    std::thread submitter([&] {
      for (int i = 0; i < 20; ++i) {
        resource.async_invoke([](int&) {}, asio::bind_executor(callers.get_executor(), counted_handler(handlers)));
        if (i == 0) submitting.set();
      }
    });
    const bool was_submitting = submitting.wait();
    home.reset();
    submitter.join();
    if (!was_submitting) break;
  }
  CHECK(handlers.made == 2'000);
  CHECK(handlers.destroyed == handlers.made);
  CHECK(handlers.called_again == 0);
}

TEMPLATE_TEST_CASE("handles and home_ptrs may be dropped on any thread while home goes", "[async_resource][races]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int rounds = 50;
  std::atomic<int> alive{0};
  struct counted {
    explicit counted(std::atomic<int>& n) : alive(&n) { ++*alive; }
    ~counted() { --*alive; }
    std::atomic<int>* alive;
  };
  for (int round = 0; round < rounds; ++round) {
    TestType home;
    std::vector<std::thread> droppers;
    std::atomic<int> ready{0};
    {
      async_resource<asio::any_io_executor, counted> resource(home.context(), alive);
      for (int t = 0; t < 2; ++t) {
        auto pointer =
            resource.async_invoke([&](counted&) { return make_home_ptr<counted>(resource, alive); }, asio::use_future)
                .get();
        droppers.emplace_back([&ready, handle = resource, pointer = std::move(pointer)]() mutable {
          ++ready;
          [[maybe_unused]] const auto last_handle = std::move(handle);
          pointer.reset();
        });
      }
    }
    while (ready == 0) std::this_thread::yield();
    home.shut_down();
    for (auto& thread : droppers) thread.join();
  }
  CHECK(alive == 0);
}

TEMPLATE_TEST_CASE("homes go while contexts that operations came from are shut down", "[async_resource][races]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  // A context that is shut down looks at every home of the process: what ThreadSanitizer says is the test.
  constexpr int rounds = 200;
  std::atomic<int> completed{0};
  TestType homes;
  std::thread contexts([&] {
    async_resource<asio::any_io_executor, int> resource(homes.context(), 0);
    for (int round = 0; round < rounds; ++round) {
      asio::io_context origin;
      resource.async_invoke([](int&) {}, asio::bind_executor(origin, [&](std::exception_ptr) { ++completed; }));
      origin.run();
    }
  });
  for (int round = 0; round < rounds; ++round) {
    const async_resource<asio::any_io_executor, int> resource(homes.context(), 0);
    resource.async_invoke([](int&) {}, asio::detached);
  }
  contexts.join();
  homes.join();
  CHECK(completed == rounds);
}
