// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/pool.hpp>

#include <async_resource/tokens/block.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "support/contexts.hpp"
#include "support/counting_allocator.hpp"
#include "support/error_codes.hpp"
#include "support/member_holder.hpp"

// async_resource_pool: where functions run, and how operations end.

namespace {

using asyncres::errc;
using testing::event;
using testing::member_holder;

struct worker {
  std::size_t index;
  int uses = 0;
};

using pool_type = asyncres::async_resource_pool<asio::any_io_executor, worker>;

constexpr auto make_worker = [](std::size_t index) { return worker{index}; };

}  // namespace

TEMPLATE_TEST_CASE("no resource of a pool idles while work waits", "[pool]", testing::io_4, testing::pool_4) {
  TestType context;
  const pool_type pool(context.get_executor(), 3, make_worker);
  std::array<std::unique_ptr<member_holder>, 3> holders;
  for (auto& each : holders) each = std::make_unique<member_holder>(pool);
  for (const auto& each : holders) REQUIRE(each->began.wait());
  CHECK(holders[0]->index + holders[1]->index + holders[2]->index == 3);

  auto waiting = pool.async_invoke([](worker& w) { return w.index; }, asio::use_future);
  CHECK(pool.stats().queued == 1);
  CHECK(pool.stats().running == 3);
  CHECK(holders[1]->release());
  CHECK(waiting.get() == holders[1]->index);
  CHECK(holders[0]->release());
  CHECK(holders[2]->release());
}

TEMPLATE_TEST_CASE("a pool of one runs functions in the order submitted", "[pool]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType context;
  testing::log<int> order;
  {
    const pool_type pool(context.get_executor(), 1, make_worker);
    for (int i = 0; i < 300; ++i) pool.async_invoke([&order, i](worker&) { order.add(i); }, asio::detached);
  }
  context.join();
  const auto values = order.values();
  CHECK(values.size() == 300);
  CHECK(std::ranges::is_sorted(values));
}

TEMPLATE_TEST_CASE("each resource of a pool is made at its home, once, and used alone", "[pool]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType context;
  testing::log<std::size_t> made;
  std::array<std::atomic<int>, 4> inside{};
  std::atomic<int> overlaps{0}, strays{0};
  const auto factory = [&](std::size_t index) {
    strays += !context.get_executor().running_in_this_thread();
    made.add(index);
    return worker{index};
  };
  {
    const pool_type pool(context.context(), 4, factory);
    for (int i = 0; i < 1'000; ++i) {
      const auto function = [&](worker& w) {
        overlaps += inside[w.index]++ != 0;
        --inside[w.index];
      };
      if (i % 2 == 0)
        pool.async_invoke(function, asio::detached);
      else
        pool.async_invoke_on(i / 2, function, asio::detached);
    }
  }
  context.join();
  auto indices = made.values();
  std::ranges::sort(indices);
  CHECK(indices == std::vector<std::size_t>{0, 1, 2, 3});
  CHECK(overlaps == 0);
  CHECK(strays == 0);
}

TEMPLATE_TEST_CASE("a key always finds the same resource of a pool, in order", "[pool]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType context;
  const pool_type pool(context.get_executor(), 3, make_worker);
  std::array<testing::log<std::pair<std::size_t, int>>, 5> seen;
  for (int i = 0; i < 100; ++i)
    for (std::size_t key = 0; key < 5; ++key) {
      pool.async_invoke_on(
          "key " + std::to_string(key),
          [&log = seen[key], i](worker& w) {
            log.add({w.index, i});
          },
          asio::detached);
      pool.async_invoke([](worker& w) { ++w.uses; }, asio::detached);
    }
  context.join();
  for (const auto& log : seen) {
    const auto values = log.values();
    REQUIRE(values.size() == 100);
    for (std::size_t i = 0; i < 100; ++i) CHECK(values[i] == std::pair(values[0].first, int(i)));
  }
  CHECK(pool.stats().completed == 1'000);
}

TEMPLATE_TEST_CASE("what waits for any resource of a pool does not wait behind one that a key has taken", "[pool]",
                   testing::io_4, testing::pool_4) {
  TestType context;
  const pool_type pool(context.get_executor(), 2, make_worker);
  event began, go;
  auto hold = [&](worker&) {
    began.set();
    return go.wait();
  };
  auto held = pool.async_invoke_on(0, std::move(hold), asio::use_future);
  auto behind = pool.async_invoke_on(
      0, [](worker& w) { return w.index; }, asio::use_future);
  REQUIRE(began.wait());
  for (int i = 0; i < 20; ++i) CHECK(pool.async_invoke([](worker& w) { return w.index; }, asio::use_future).get() == 1);
  go.set();
  CHECK(held.get());
  CHECK(behind.get() == 0);
}

TEMPLATE_TEST_CASE("a pool carries back results and errors, with every kind of function", "[pool]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType context;
  const pool_type pool(context.get_executor(), 2, make_worker);
  CHECK(pool.async_invoke([](worker&) { return std::string("plain"); }, asio::use_future).get() == "plain");
  CHECK_FALSE(
      pool.async_invoke([](worker&, asyncres::cancellation_view v) { return v.requested(); }, asio::use_future).get());
  CHECK_THROWS_AS(pool.async_invoke([](worker&) -> int { throw std::range_error("no"); }, asio::use_future).get(),
                  std::range_error);
  const auto set = [](worker&, std::error_code& error) {
    error = asio::error::eof;
    return std::make_unique<int>(7);
  };
  auto [error, value] = pool.async_invoke(set, asio::as_tuple(asio::use_future)).get();
  CHECK(error == asio::error::eof);
  CHECK(*value == 7);
  CHECK(pool.async_invoke([](worker&) { return 3; }, asyncres::block) == 3);
  CHECK(pool.async_invoke_on(
            1, [](worker& w) { return w.index; }, asyncres::block) == 1);
  const auto stats = pool.stats();
  CHECK(stats.submitted == 6);
  CHECK(stats.completed == 5);
  CHECK(stats.failed == 1);
}

TEMPLATE_TEST_CASE("a coroutine awaits the operations of a pool", "[pool]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType context;
  const pool_type pool(context.get_executor(), 2, make_worker);
  const auto main = [&]() -> asio::awaitable<int> {
    int sum = 0;
    const auto use = [](worker& w) { return ++w.uses; };
    for (int i = 0; i < 100; ++i) sum += co_await pool.async_invoke(use) > 0;
    for (int i = 0; i < 100; ++i) sum += co_await pool.async_invoke_on(i, use, asio::use_awaitable) > 0;
    co_await pool.async_close();
    try {
      co_await pool.async_invoke(use);
    } catch (const std::system_error& e) {
      sum += e.code() == errc::closed;
    }
    co_return sum;
  };
  CHECK(asio::co_spawn(context.get_executor(), main(), asio::use_future).get() == 201);
}

TEMPLATE_TEST_CASE("a pool calls handlers where they belong, never inside the initiating function", "[pool]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  event inner;
  TestType there;
  asio::io_context here;
  const pool_type pool(there.get_executor(), 2, make_worker);
  bool called = false, right = false;
  pool.async_invoke([](worker&) {}, asio::bind_executor(here, [&](std::exception_ptr) {
                      called = true;
                      right = here.get_executor().running_in_this_thread();
                    }));
  CHECK_FALSE(called);
  here.run();
  CHECK(called);
  CHECK(right);
  std::atomic<bool> stayed{false};
  pool.async_invoke([](worker&) {},
                    [&](std::exception_ptr) {
                      stayed = there.get_executor().running_in_this_thread();
                      inner.set();
                    });
  REQUIRE(inner.wait());
  CHECK(stayed);
}

TEMPLATE_TEST_CASE("an operation of a pool takes one block, given back before the handler is called", "[pool]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  testing::allocation_count count;
  event done;
  TestType context;
  const pool_type pool(context.get_executor(), 2, make_worker);
  int live = -1;
  pool.async_invoke([](worker&) {}, asio::bind_allocator(testing::counting_allocator<void>(count), [&](auto) {
                      live = count.live;
                      done.set();
                    }));
  REQUIRE(done.wait());
  CHECK(count.allocations == 1);
  CHECK(live == 0);
}

TEMPLATE_TEST_CASE("an operation cancelled while a pool has it queued completes at once, and is never run", "[pool]",
                   testing::io_4, testing::pool_4) {
  const auto type =
      GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total);
  TestType context;
  const pool_type pool(context.get_executor(), 2, make_worker);
  member_holder first(pool), second(pool);
  REQUIRE(first.began.wait());
  REQUIRE(second.began.wait());
  asio::cancellation_signal signal;
  std::atomic<bool> ran{false};
  const auto life = std::make_shared<int>();
  auto queued = pool.async_invoke([&ran, life](worker&) { ran = true; },
                                  asio::bind_cancellation_slot(signal.slot(), asio::use_future));
  signal.emit(type);
  CHECK(testing::code_thrown_by([&] { queued.get(); }) == asio::error::operation_aborted);
  CHECK(life.use_count() == 2);  // The function waits to be destroyed at a home.
  CHECK(pool.stats().cancelled == 1);
  CHECK(first.release());
  CHECK(second.release());
  context.join();
  CHECK(life.use_count() == 1);
  CHECK_FALSE(ran);
}

TEMPLATE_TEST_CASE("a function of a pool that runs is asked to give up, and no other", "[pool]", testing::io_4,
                   testing::pool_4) {
  TestType context;
  const pool_type pool(context.get_executor(), 2, make_worker);
  std::array<asio::cancellation_signal, 2> signals;
  std::array<event, 2> began;
  event look;
  std::array<std::future<bool>, 2> results;
  for (std::size_t i = 0; i < 2; ++i) {
    auto function = [&, i](worker&, asyncres::cancellation_view view) {
      began[i].set();
      return look.wait() && view.requested();
    };
    results[i] =
        pool.async_invoke(std::move(function), asio::bind_cancellation_slot(signals[i].slot(), asio::use_future));
  }
  for (const auto& each : began) REQUIRE(each.wait());
  signals[1].emit(asio::cancellation_type::terminal);
  look.set();
  CHECK_FALSE(results[0].get());
  CHECK(results[1].get());
}

TEMPLATE_TEST_CASE("cancelling a pool ends what is queued, and spares what comes after", "[pool]", testing::io_4,
                   testing::pool_4) {
  TestType context;
  const pool_type pool(context.get_executor(), 1, make_worker);
  member_holder first(pool);
  REQUIRE(first.began.wait());
  const auto nothing = [](worker&) {};
  auto before = pool.async_invoke(nothing, asio::use_future);
  auto own = pool.async_invoke_on(0, nothing, asio::use_future);
  pool.cancel();
  auto after = pool.async_invoke(nothing, asio::use_future);
  CHECK(first.release());
  CHECK_THROWS_AS(before.get(), std::system_error);
  CHECK_THROWS_AS(own.get(), std::system_error);
  CHECK_NOTHROW(after.get());
  CHECK(pool.stats().cancelled == 2);
}

TEMPLATE_TEST_CASE("the queue of a pool is bounded, and says so through the immediate executor", "[pool]",
                   testing::io_4, testing::pool_4) {
  TestType context;
  asyncres::resource_options options;
  options.max_pending = 2;
  const pool_type pool(context.get_executor(), 1, make_worker, options);
  member_holder first(pool);
  REQUIRE(first.began.wait());
  const auto nothing = [](worker&) {};
  auto second = pool.async_invoke(nothing, asio::use_future);
  auto third = pool.async_invoke(nothing, asio::use_future);
  std::error_code immediate;
  const auto set = [](worker&, std::error_code&) {};
  pool.async_invoke(set, asio::bind_immediate_executor(asio::system_executor(),
                                                       [&immediate](std::error_code error) { immediate = error; }));
  CHECK(immediate == errc::queue_full);
  CHECK(std::get<0>(pool.async_invoke(set, asio::as_tuple(asio::use_future)).get()) == errc::queue_full);
  CHECK(first.release());
  CHECK_NOTHROW(second.get());
  CHECK_NOTHROW(third.get());
  CHECK_NOTHROW(pool.async_invoke(nothing, asio::use_future).get());
  const auto stats = pool.stats();
  CHECK(stats.rejected == 2);
  CHECK(stats.submitted == 6);
  CHECK(stats.high_water == 2);
}

TEMPLATE_TEST_CASE("an operation that a pool has queued for too long times out while its members are busy", "[pool]",
                   testing::io_4, testing::pool_4) {
  event go, done;
  TestType context;
  asyncres::resource_options options;
  options.max_wait = std::chrono::milliseconds(1);
  const pool_type pool(context.get_executor(), 1, make_worker, options);
  // The one that holds the member may be too late itself.
  for (bool began = false; !began;) {
    const auto settled = std::make_shared<std::promise<bool>>();
    const auto hold = [&go, settled](worker&, std::error_code&) {
      settled->set_value(true);
      (void)go.wait();
    };
    pool.async_invoke(hold, [&done, settled](std::error_code error) {
      error == errc::timed_out_queued ? settled->set_value(false) : done.set();
    });
    began = settled->get_future().get();
  }
  auto late = pool.async_invoke([](worker&, std::error_code&) {}, asio::as_tuple(asio::use_future));
  CHECK(std::get<0>(late.get()) == errc::timed_out_queued);
  go.set();
  CHECK(done.wait());
}

TEST_CASE("blocking on a pool from within its functions is refused", "[pool]") {
  asio::thread_pool context(2);
  const pool_type pool(context, 2, make_worker);
  const auto wait = [pool](worker&) {
    std::error_code error;
    pool.async_invoke([](worker&) {}, asyncres::block[error]);
    return error;
  };
  CHECK(pool.async_invoke(wait, asio::use_future).get() == errc::would_deadlock);
  CHECK(pool.async_invoke_on(1, wait, asio::use_future).get() == errc::would_deadlock);
  context.join();
}
