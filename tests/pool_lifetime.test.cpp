// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/home_ptr.hpp>
#include <async_resource/pool.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/contexts.hpp"
#include "support/error_codes.hpp"
#include "support/member_holder.hpp"

// async_resource_pool: how it is made, how its resources are replaced, and how it ends.

namespace {

using asyncres::close_mode;
using asyncres::errc;
using asyncres::on_failure;
using testing::code_or_exception_of;
using testing::event;
using testing::member_holder;

// Counts how many there are.
class counted {
 public:
  counted(std::atomic<int>& alive, std::size_t n) : index(n), alive_(&alive) { ++*alive_; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --*alive_; }

  const std::size_t index;

 private:
  std::atomic<int>* alive_;
};

using pool_type = asyncres::async_resource_pool<asio::any_io_executor, counted>;

struct census {
  std::atomic<int> alive{0}, made{0};

  auto factory() {
    return [this](std::size_t index) {
      ++made;
      return counted(alive, index);
    };
  }
};

const auto index_of = [](counted& c) { return c.index; };

}  // namespace

static_assert(!std::is_default_constructible_v<pool_type>);
static_assert(
    !std::is_constructible_v<pool_type, asio::strand<asio::any_io_executor>, std::size_t, counted (*)(std::size_t)>);
static_assert(!std::is_constructible_v<pool_type, asio::io_context&, std::size_t, int (*)(std::size_t)>);
static_assert(std::is_constructible_v<pool_type, asio::io_context&, std::size_t, counted (*)(std::size_t)>);

TEST_CASE("a pool of nothing is refused", "[pool]") {
  asio::io_context context;
  census people;
  CHECK_THROWS_AS(pool_type(context, 0, people.factory()), std::invalid_argument);
}

TEMPLATE_TEST_CASE("closing a pool runs what is queued, and completes when the resources are gone", "[pool][close]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  census people;
  TestType context;
  const pool_type pool(context.get_executor(), 3, people.factory());
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    pool.async_invoke([&](counted&) { ++ran; }, asio::detached);
    pool.async_invoke_on(
        i, [&](counted&) { ++ran; }, asio::detached);
  }
  auto first = pool.async_close(asio::as_tuple(asio::use_future));
  auto second = pool.async_close(close_mode::drain, asio::as_tuple(asio::use_future));
  CHECK_FALSE(std::get<0>(first.get()));
  CHECK_FALSE(std::get<0>(second.get()));
  CHECK(ran == 200);
  CHECK(people.alive == 0);
  CHECK_FALSE(std::get<0>(pool.async_close(asio::as_tuple(asio::use_future)).get()));
  const auto late = pool.async_invoke([](counted&, std::error_code&) {}, asio::as_tuple(asio::use_future)).get();
  CHECK(std::get<0>(late) == errc::closed);
  const auto own = pool.async_invoke_on(
                           1, [](counted&, std::error_code&) {}, asio::as_tuple(asio::use_future))
                       .get();
  CHECK(std::get<0>(own) == errc::closed);
  CHECK(std::get<0>(pool.async_resize(2, asio::as_tuple(asio::use_future)).get()) == errc::closed);
  const auto stats = pool.stats();
  CHECK(stats.completed == 200);
  CHECK(stats.rejected == 2);
  CHECK(stats.submitted == 202);
}

TEMPLATE_TEST_CASE("closing a pool can abort what is queued, and only its own wait be cancelled", "[pool][close]",
                   testing::io_4, testing::pool_4) {
  census people;
  TestType context;
  const pool_type pool(context.get_executor(), 2, people.factory());
  member_holder first(pool), second(pool);
  REQUIRE(first.began.wait());
  REQUIRE(second.began.wait());
  auto queued = pool.async_invoke(index_of, asio::use_future);
  asio::cancellation_signal signal;
  auto given_up = pool.async_close(close_mode::cancel,
                                   asio::bind_cancellation_slot(signal.slot(), asio::as_tuple(asio::use_future)));
  auto closed = pool.async_close(asio::as_tuple(asio::use_future));
  signal.emit(asio::cancellation_type::total);
  CHECK(std::get<0>(given_up.get()) == asio::error::operation_aborted);
  CHECK(people.alive == 2);
  CHECK(first.release());
  CHECK(second.release());
  CHECK_THROWS_AS(queued.get(), std::system_error);
  CHECK_FALSE(std::get<0>(closed.get()));
  CHECK(people.alive == 0);
}

TEMPLATE_TEST_CASE("dropping the last handle of a pool runs what is queued, then destroys the resources", "[pool]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  census people;
  TestType context;
  std::atomic<int> ran{0};
  {
    const pool_type pool(context.get_executor(), 2, people.factory());
    for (int i = 0; i < 100; ++i) pool.async_invoke([&](counted&) { ++ran; }, asio::detached);
  }
  context.join();
  CHECK(ran == 100);
  CHECK(people.alive == 0);
}

TEMPLATE_TEST_CASE("a pool grows at once, and what waits is served", "[pool][resize]", testing::io_4, testing::pool_4) {
  census people;
  TestType context;
  const pool_type pool(context.get_executor(), 1, people.factory());
  member_holder first(pool);
  REQUIRE(first.began.wait());
  auto waiting = pool.async_invoke(index_of, asio::use_future);
  pool.async_resize(3, asio::use_future).get();
  CHECK(waiting.get() > 0);
  CHECK(first.release());
  std::set<std::size_t> indices;
  for (std::size_t key = 0; key < 3; ++key) indices.insert(pool.async_invoke_on(key, index_of, asio::use_future).get());
  CHECK(indices == std::set<std::size_t>{0, 1, 2});
}

TEMPLATE_TEST_CASE("a pool shrinks when its members have done what they had to", "[pool][resize]", testing::io_4,
                   testing::pool_4) {
  census people;
  TestType context;
  const pool_type pool(context.get_executor(), 3, people.factory());
  for (std::size_t key = 0; key < 3; ++key) pool.async_invoke_on(key, index_of, asio::use_future).get();
  CHECK(people.alive == 3);
  event began, go;
  pool.async_invoke_on(
      2, [&](counted&) { return began.set(), go.wait(); }, asio::detached);
  auto behind = pool.async_invoke_on(2, index_of, asio::use_future);
  REQUIRE(began.wait());
  auto shrunk = pool.async_resize(1, asio::use_future);
  CHECK(pool.async_invoke_on(2, index_of, asio::use_future).get() == 0);
  CHECK(pool.async_invoke(index_of, asio::use_future).get() == 0);
  go.set();
  shrunk.get();
  CHECK(behind.get() == 2);
  CHECK(people.alive == 1);
  const auto before = pool.stats();
  CHECK(before.completed == 7);
  pool.async_resize(2, asio::use_future).get();
  CHECK(pool.async_invoke_on(1, index_of, asio::use_future).get() == 1);
  CHECK(people.made == 4);
  const auto none = pool.async_resize(0, asio::as_tuple(asio::use_future)).get();
  CHECK(std::get<0>(none) == asio::error::invalid_argument);
}

TEST_CASE("a member that has left a pool takes nothing more, though the pool closes before all know",
          "[pool][resize][close]") {
  for (int steps = 0; steps < 10; ++steps) {
    asio::io_context context;
    census people;
    asyncres::resource_options options;
    options.quantum = 1;
    const pool_type pool(context, 2, people.factory(), options);
    int told = 0;
    pool.async_invoke_on(
        0,
        [&](counted&) {
          pool.async_resize(1, asio::detached);
          pool.async_invoke(index_of, [&](std::exception_ptr e, std::size_t) { told += !e; });
          for (int i = 0; i < steps; ++i) context.poll_one();
          pool.async_close(asio::detached);
          context.poll();
        },
        asio::detached);
    context.run();
    CHECK(told == 1);
    CHECK(people.alive == 0);
  }
}

TEMPLATE_TEST_CASE("a resource that fails is replaced while the rest of the pool serves", "[pool][failure]",
                   testing::io_4, testing::pool_4) {
  census people;
  event remaking, go;
  TestType context;
  const auto factory = [&](std::size_t index) {
    if (++people.made == 3) {
      remaking.set();
      (void)go.wait();
    }
    return counted(people.alive, index);
  };
  asyncres::resource_options options;
  options.failure = on_failure::rebuild;
  const pool_type pool(context.get_executor(), 2, factory, options);
  for (std::size_t key = 0; key < 2; ++key) pool.async_invoke_on(key, index_of, asio::use_future).get();
  auto failed = pool.async_invoke_on(
      0, [](counted&) { throw std::range_error("broken"); }, asio::use_future);
  CHECK_THROWS_AS(failed.get(), std::range_error);
  auto mended = pool.async_invoke_on(0, index_of, asio::use_future);
  REQUIRE(remaking.wait());
  for (int i = 0; i < 20; ++i) CHECK(pool.async_invoke(index_of, asio::use_future).get() == 1);
  go.set();
  CHECK(mended.get() == 0);
  CHECK(people.made == 3);
}

TEMPLATE_TEST_CASE("a factory that throws fails the function it was called for, and is called again", "[pool][failure]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  census people;
  TestType context;
  const auto factory = [&](std::size_t index) {
    if (++people.made == 1) throw std::range_error("not yet");
    return counted(people.alive, index);
  };
  const pool_type pool(context.get_executor(), 1, factory);
  CHECK_THROWS_AS(pool.async_invoke(index_of, asio::use_future).get(), std::range_error);
  CHECK(pool.async_invoke(index_of, asio::use_future).get() == 0);
}

TEMPLATE_TEST_CASE("a poisoned resource leaves a pool, until none is left", "[pool][failure]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  census people;
  TestType context;
  asyncres::resource_options options;
  options.failure = on_failure::poison;
  const pool_type pool(context.get_executor(), 2, people.factory(), options);
  const auto fail = [](counted& c) -> std::size_t { throw std::runtime_error(c.index == 0 ? "0" : "1"); };
  CHECK_THROWS_AS(pool.async_invoke_on(1, fail, asio::use_future).get(), std::runtime_error);
  for (int i = 0; i < 20; ++i) CHECK(pool.async_invoke(index_of, asio::use_future).get() == 0);
  CHECK_THROWS_AS(pool.async_invoke(fail, asio::use_future).get(), std::runtime_error);
  for (int i = 0; i < 20; ++i) {
    auto refused = pool.async_invoke([](counted&, std::error_code&) {}, asio::as_tuple(asio::use_future));
    CHECK(std::get<0>(refused.get()) == errc::poisoned);
  }
  CHECK(pool.failure());
  pool.async_resize(3, asio::use_future).get();
  CHECK(pool.async_invoke(index_of, asio::use_future).get() == 2);
  pool.async_close(asio::use_future).get();
  CHECK(people.alive == 0);
}

TEST_CASE("what a pool had queued when it was closed is not refused as closed, though its last resource is poisoned",
          "[pool][failure]") {
  asio::io_context context;
  census people;
  asyncres::resource_options options;
  options.failure = on_failure::poison;
  const pool_type pool(context, 1, people.factory(), options);
  const bool cancelled = GENERATE(false, true);
  const auto fail = [&](counted&) {
    if (cancelled) pool.cancel();
    throw std::runtime_error("broken");
  };
  pool.async_invoke(fail, asio::detached);
  std::error_code told;
  pool.async_invoke(index_of, [&](std::exception_ptr e, std::size_t) { told = code_or_exception_of(std::move(e)); });
  pool.async_close(asio::detached);
  context.run();
  CHECK(told == (cancelled ? make_error_code(asio::error::operation_aborted) : make_error_code(errc::poisoned)));
}

TEST_CASE("a closed pool tells a handler without an executor on its own", "[pool][close]") {
  asio::io_context context;
  census people;
  const pool_type pool(context, 2, people.factory());
  pool.async_close(asio::detached);
  context.run();
  context.restart();
  const bool by_key = GENERATE(false, true);
  event told;
  std::error_code code;
  bool here = false;
  const auto handler = [&](std::exception_ptr e, std::size_t) {
    code = code_or_exception_of(std::move(e));
    here = context.get_executor().running_in_this_thread();
    told.set();
  };
  if (by_key)
    pool.async_invoke_on(1, index_of, handler);
  else
    pool.async_invoke(index_of, handler);
  context.run();
  REQUIRE(told.wait());
  CHECK(code == errc::closed);
  CHECK(here);
}

TEMPLATE_TEST_CASE("a lease holds one resource of a pool, and the others serve", "[pool][lease]", testing::io_4,
                   testing::pool_4) {
  census people;
  TestType context;
  const pool_type pool(context.get_executor(), 2, people.factory());
  auto lease = pool.async_lease(asio::use_future).get();
  const auto held = lease.async_invoke(index_of, asio::use_future).get();
  for (int i = 0; i < 20; ++i) CHECK(pool.async_invoke(index_of, asio::use_future).get() == 1 - held);
  auto behind = pool.async_invoke_on(held, index_of, asio::use_future);
  auto other = pool.async_lease(asio::use_future).get();
  auto waiting = pool.async_invoke(index_of, asio::use_future);
  asio::cancellation_signal signal;
  auto cancelled = pool.async_lease(asio::bind_cancellation_slot(signal.slot(), asio::use_future));
  signal.emit(asio::cancellation_type::total);
  CHECK_THROWS_AS(cancelled.get(), std::system_error);
  auto closed = pool.async_close(asio::use_future);
  CHECK(lease.async_invoke(index_of, asio::use_future).get() == held);
  lease.release();
  CHECK(behind.get() == held);
  CHECK(waiting.get() == held);
  CHECK(people.alive > 0);
  other.release();
  closed.get();
  CHECK(people.alive == 0);
}

TEMPLATE_TEST_CASE("an object made in a function of a pool dies at the home of that member, which waits for it",
                   "[pool][home_ptr]", testing::io_4, testing::pool_4) {
  census people;
  TestType context;
  const pool_type pool(context.get_executor(), 2, people.factory());
  const auto owned = std::make_shared<int>();
  asyncres::home_ptr<std::shared_ptr<int>> object;
  std::size_t home = 2;
  const auto make = [&](counted& c) {
    object = asyncres::make_home_ptr<std::shared_ptr<int>>(pool, owned);
    home = c.index;
  };
  SECTION("a function of the pool") {
    pool.async_invoke(make, asio::use_future).get();
  }
  SECTION("a function of a lease, made with that") {
    auto lease = pool.async_lease(asio::use_future).get();
    const auto make_with_lease = [&](counted& c) {
      object = asyncres::make_home_ptr<std::shared_ptr<int>>(lease, owned);
      home = c.index;
    };
    lease.async_invoke(make_with_lease, asio::use_future).get();
  }
  member_holder first(pool), second(pool);
  REQUIRE(first.began.wait());
  REQUIRE(second.began.wait());
  object.reset();
  member_holder& elsewhere = first.index == home ? second : first;
  CHECK(elsewhere.release());
  CHECK(pool.async_invoke(index_of, asio::use_future).get() == 1 - home);
  CHECK(owned.use_count() == 2);
  const auto make_another = [&](counted&) { object = asyncres::make_home_ptr<std::shared_ptr<int>>(pool, owned); };
  pool.async_invoke_on(home, make_another, asio::use_future);
  CHECK((first.index == home ? first : second).release());
  pool.async_invoke_on(home, index_of, asio::use_future).get();
  CHECK(owned.use_count() == 2);  // The first one has gone, the second has come.
  auto closed = pool.async_close(asio::use_future);
  CHECK(owned.use_count() == 2);
  object.reset();
  closed.get();
  CHECK(owned.use_count() == 1);
}

TEST_CASE("an object of a pool is made at one of its homes only", "[pool][home_ptr]") {
  census people;
  testing::pool_4 context;
  const pool_type pool(context.get_executor(), 2, people.factory()), other(context.get_executor(), 1, people.factory());
  const auto make = [&pool](counted&) { (void)asyncres::make_home_ptr<int>(pool, 1); };
  CHECK_THROWS_AS(asyncres::make_home_ptr<int>(pool, 1), std::system_error);
  CHECK_THROWS_AS(other.async_invoke(make, asio::use_future).get(), std::system_error);
  CHECK_NOTHROW(pool.async_invoke(make, asio::use_future).get());
  CHECK_THROWS_AS(asyncres::make_home_ptr<int>(asyncres::lease<asio::any_io_executor, counted>(), 1),
                  std::system_error);
}

TEMPLATE_TEST_CASE("a lease of a pool that nobody receives ends", "[pool][lease]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  event passed;
  census people;
  TestType context;
  const pool_type pool(context.get_executor(), 1, people.factory());
  {
    asio::io_context here;
    pool.async_lease(asio::bind_executor(here, [](std::exception_ptr, auto) {}));
    pool.async_invoke(index_of, [&](std::exception_ptr, std::size_t) { passed.set(); });
    here.run();
    REQUIRE(passed.wait());
    pool.async_lease(asio::bind_executor(here, [](std::exception_ptr, auto) {}));
  }
  CHECK(pool.async_invoke(index_of, asio::use_future).get() == 0);
}

TEST_CASE("a pool whose context is shut down gives up what it has queued", "[pool][abandonment]") {
  std::atomic<int> called{0};
  const auto life = std::make_shared<int>();
  census people;
  std::optional<pool_type> pool;
  {
    asio::io_context context;
    pool.emplace(context, 2, people.factory());
    asio::cancellation_signal signal;
    for (int i = 0; i < 10; ++i) {
      pool->async_invoke([life](counted&) {}, [life, &called](std::exception_ptr) { ++called; });
      pool->async_invoke_on(
          i, [life](counted&) {}, [life, &called](std::exception_ptr) { ++called; });
    }
    pool->async_invoke([life](counted&) {},
                       asio::bind_cancellation_slot(signal.slot(), [life, &called](std::exception_ptr) { ++called; }));
    pool->async_close([life, &called](std::error_code) { ++called; });
    context.run_one();
  }
  CHECK(life.use_count() == 1);
  CHECK(people.alive == 0);
  CHECK(pool->stats().queued == 0);
  asio::io_context here;
  std::vector<std::error_code> errors;
  pool->async_invoke(index_of, asio::bind_executor(here, [&](std::exception_ptr e, std::size_t) {
                       errors.push_back(code_or_exception_of(std::move(e)));
                     }));
  pool->async_invoke_on(1, index_of, asio::bind_executor(here, [&](std::exception_ptr e, std::size_t) {
                          errors.push_back(code_or_exception_of(std::move(e)));
                        }));
  pool->async_resize(5, asio::bind_executor(here, [&](std::error_code e) { errors.push_back(e); }));
  pool->async_close(asio::bind_executor(here, [&](std::error_code e) { errors.push_back(e); }));
  here.run();
  CHECK(errors == std::vector<std::error_code>{errc::closed, errc::closed, errc::closed, {}});
}

TEMPLATE_TEST_CASE("a handler whose context is shut down is destroyed, and its function still runs",
                   "[pool][abandonment]", testing::io_4, testing::pool_4) {
  struct result {
    std::shared_ptr<int> life;
    std::atomic<bool>* stray = nullptr;
    asio::any_io_executor home;
    ~result() {
      if (life && stray && !home.target<typename TestType::context_type::executor_type>()->running_in_this_thread())
        *stray = true;
    }
    result() = default;
    result(result&&) = default;
    result& operator=(result&&) = default;
  };
  census people;
  TestType context;
  const pool_type pool(context.get_executor(), 1, people.factory());
  const auto life = std::make_shared<int>();
  std::atomic<bool> stray{false}, called{false}, ran{false};
  auto produce = [&, life](counted&) {
    ran = true;
    result r;
    r.life = life;
    r.stray = &stray;
    r.home = context.get_executor();
    return r;
  };
  {
    asio::io_context here;
    member_holder first(pool);
    REQUIRE(first.began.wait());
    pool.async_invoke(produce,
                      asio::bind_executor(here, [&called, life](std::exception_ptr, result) { called = true; }));
    // On its way back, and not received.
    CHECK(first.release());
    pool.async_invoke(index_of, asio::use_future).get();
    CHECK(ran);
  }
  {
    member_holder second(pool);
    REQUIRE(second.began.wait());
    ran = false;
    {
      asio::io_context here;
      pool.async_invoke(produce,
                        asio::bind_executor(here, [&called, life](std::exception_ptr, result) { called = true; }));
    }
    CHECK(second.release());
  }
  pool.async_close(asio::use_future).get();
  context.join();
  CHECK(ran);
  CHECK_FALSE(called);
  CHECK_FALSE(stray);
  CHECK(life.use_count() == 2);  // Here, and in `produce`.
}

TEST_CASE("what a pool had queued when its context went is not queued any more", "[pool][stats]") {
  auto context = std::make_optional<asio::io_context>();
  const asyncres::async_resource_pool<asio::io_context::executor_type, int> pool(*context, 2,
                                                                                 [](std::size_t) { return 0; });
  pool.async_invoke([](int&) {}, asio::detached);
  for (std::size_t i = 0; i < 5; ++i)
    pool.async_invoke_on(
        i, [](int&) {}, asio::detached);
  CHECK(pool.stats().queued == 6);
  context.reset();
  CHECK(pool.stats().queued == 0);
  CHECK(pool.stats().submitted == 6);
}

TEST_CASE("refused by a closed pool, an operation is told on the pool's context", "[pool][close]") {
  asio::io_context context;
  const asyncres::async_resource_pool<asio::io_context::executor_type, int> pool(context, 2,
                                                                                 [](std::size_t) { return 0; });
  pool.async_close(asio::detached);
  context.run();
  int told = 0;
  const auto handler = [&](std::exception_ptr e) {
    if (code_or_exception_of(e) == asyncres::errc::closed && context.get_executor().running_in_this_thread()) ++told;
  };
  pool.async_invoke([](int&) {}, handler);
  pool.async_invoke_on(
      1, [](int&) {}, handler);
  CHECK(told == 0);
  context.restart();
  context.run();
  CHECK(told == 2);
}

TEST_CASE("the members of a pool have strands of their own, also on an erased strand", "[pool]") {
  asio::thread_pool context(2);
  const asio::any_io_executor strand = asio::make_strand(context);
  const asyncres::async_resource_pool<asio::any_io_executor, int> pool(strand, 2, [](std::size_t) { return 0; });
  event first, second;
  auto both = pool.async_invoke([&](int&) { return first.set(), second.wait(); }, asio::use_future);
  CHECK(pool.async_invoke([&](int&) { return second.set(), first.wait(); }, asio::use_future).get());
  CHECK(both.get());
}
