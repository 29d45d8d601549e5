// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/pool.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// async_resource_pool under everything at once: each handler is called once, each function object destroyed, and no two
// functions of a resource overlap.

namespace {

constexpr int threads = 3;
constexpr int rounds = 2'000;

struct fragile {
  std::atomic<int>* overlaps;
  std::atomic<int>* alive;
  std::atomic<bool> busy{false};

  fragile(std::atomic<int>& o, std::atomic<int>& a) : overlaps(&o), alive(&a) { ++*alive; }
  ~fragile() { --*alive; }

  void use() {
    *overlaps += busy.exchange(true);
    busy = false;
  }
};

using pool_type = asyncres::async_resource_pool<asio::any_io_executor, fragile>;

class storm {
 public:
  storm(const pool_type& pool, int expected) : pool_(pool), left_(expected) {}

  // One thread's part: operations of every kind, and a cancellation for each that can have one.
  void blow(unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < rounds; ++i) {
      auto function = [life = life_, fails = random() % 8 == 0](fragile& f) {
        f.use();
        if (fails) throw std::runtime_error("storm");
        return life;  // A result that is not trivial.
      };
      auto handler = [this, life = life_](std::exception_ptr, const std::shared_ptr<int>&) { arrive(); };
      switch (random() % 5) {
        case 0: pool_.async_invoke(std::move(function), std::move(handler)); break;
        case 1: pool_.async_invoke_on(random() % 7, std::move(function), std::move(handler)); break;
        case 2: pool_.async_lease([this, life = life_](std::exception_ptr, auto) { arrive(); }); break;
        default: cancelled(unsigned(random() % 3), std::move(function), std::move(handler)); break;
      }
      if (random() % 64 == 0) pool_.async_resize(1 + random() % 4, asio::detached);
      if (random() % 256 == 0) pool_.cancel();
      if (random() % 64 == 0) (void)pool_.stats();
    }
  }

  [[nodiscard]] bool wait() const { return over_.wait(); }
  long lives() const { return life_.use_count(); }

 private:
  // The signal is emitted by this thread, at once or a little later, and must live until the handler has gone.
  template <class Function, class Handler>
  void cancelled(unsigned delay, Function&& function, Handler&& handler) {
    const auto signal = std::make_shared<asio::cancellation_signal>();
    pool_.async_invoke(
        std::forward<Function>(function),
        asio::consign(asio::bind_cancellation_slot(signal->slot(), std::forward<Handler>(handler)), signal));
    for (unsigned i = 0; i < delay; ++i) std::this_thread::yield();
    signal->emit(asio::cancellation_type::total);
  }

  void arrive() {
    if (--left_ == 0) over_.set();
  }

  const pool_type& pool_;
  std::atomic<int> left_;
  testing::event over_;
  std::shared_ptr<int> life_ = std::make_shared<int>();
};

}  // namespace

TEMPLATE_TEST_CASE("nothing is lost in a pool, and nothing runs twice", "[pool][storm]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType context;
  std::atomic<int> overlaps{0}, alive{0};
  asyncres::resource_options options;
  options.failure = asyncres::on_failure::rebuild;
  options.max_pending = 500;
  options.quantum = 8;
  const auto factory = [&](std::size_t) { return fragile(overlaps, alive); };
  const pool_type pool(context.get_executor(), 2, factory, options);
  storm all(pool, threads * rounds);
  std::vector<std::thread> blowers;
  for (unsigned i = 0; i < threads; ++i) blowers.emplace_back([&all, i] { all.blow(i + 1); });
  for (auto& each : blowers) each.join();
  REQUIRE(all.wait());
  pool.async_close(asio::use_future).get();
  context.join();
  CHECK(overlaps == 0);
  CHECK(alive == 0);
  CHECK(all.lives() == 1);
  const auto stats = pool.stats();
  CHECK(stats.submitted == threads * rounds);
  CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.rejected);
  CHECK(stats.queued == 0);
  CHECK(stats.running == 0);
}
