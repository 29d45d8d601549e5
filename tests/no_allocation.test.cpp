// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#if defined(__GNUC__) && !defined(__clang__)
// Asio's coroutine frames have operators of their own, and g++ sees only one of the pair inlined.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

#include <async_resource/async_resource.hpp>
#include <async_resource/double_dispatch.hpp>
#include <async_resource/pool.hpp>
#include <async_resource/tokens/block.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <latch>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "support/allocation_counter.hpp"
#include "support/contexts.hpp"
#include "support/counting_allocator.hpp"
#include "support/plain_coroutine.hpp"

// Promise 10: nothing to pay. An operation awaited allocates nothing, any other one block from its allocator.

using asyncres::async_resource;
using testing::allocation_counter;
using testing::io_1;
using testing::io_4;
using testing::pool_1;
using testing::pool_4;

namespace {

using io_2 = testing::io_threads<2>;

// Threads that nobody has to start, nor can stop.
struct system_threads {
  static inline const std::size_t threads = std::max(1U, std::thread::hardware_concurrency()) * 2;

  asio::system_executor get_executor() { return {}; }
  void join() {}
};

// A strand that has more to do goes on in a new block, which it takes from a cache of the thread that it is on, and
// gives back to that of the thread that it is on next. That is Asio's own and cannot be told otherwise. This fills the
// caches, so that on one thread there is always such a block.
template <class Context>
void fill_caches(Context& context) {
  const auto all_there = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(Context::threads + 1));
  for (std::size_t i = 0; i < Context::threads; ++i)
    asio::post(context.get_executor(), [all_there] {
      asio::recycling_allocator<std::byte> cache;
      constexpr std::size_t enough = 512;
      std::byte* const blocks[] = {cache.allocate(enough), cache.allocate(enough)};
      for (std::byte* const block : blocks) cache.deallocate(block, enough);
      all_there->arrive_and_wait();
    });
  all_there->arrive_and_wait();
}

// The executors of a context, in the forms that programs use them.
struct concrete {
  static constexpr bool is_strand = false;
  static auto of(auto executor) { return executor; }
};
struct erased {
  static constexpr bool is_strand = false;
  static asio::any_io_executor of(auto executor) { return executor; }
};
struct on_strand {
  static constexpr bool is_strand = true;
  static auto of(auto executor) { return asio::make_strand(executor); }
};
struct on_erased_strand {
  static constexpr bool is_strand = true;
  static asio::any_io_executor of(auto executor) { return asio::make_strand(executor); }
};

// Where the resource lives, and where those who use it are.
template <class HomeContext, class HomeExecutor, class CallersContext, class CallersExecutor>
struct apart {
  // Whether a strand goes from thread to thread, and takes blocks from one cache to another.
  static bool wanders() {
    return HomeContext::threads > 1 || (CallersContext::threads > 1 && CallersExecutor::is_strand);
  }

  apart() { fill_caches(home_), fill_caches(callers_); }
  auto home() { return HomeExecutor::of(home_.get_executor()); }
  auto callers() { return CallersExecutor::of(callers_.get_executor()); }
  void join() { callers_.join(), home_.join(); }

 private:
  HomeContext home_;
  CallersContext callers_;
};

template <class Context, class HomeExecutor, class CallersExecutor>
struct together {
  static bool wanders() { return Context::threads > 1; }

  together() { fill_caches(context_); }
  auto home() { return HomeExecutor::of(context_.get_executor()); }
  auto callers() { return CallersExecutor::of(context_.get_executor()); }
  void join() { context_.join(); }

 private:
  Context context_;
};

struct tally {
  int hits = 0;
};

// What Asio's strands may allocate themselves, only where they wander from thread to thread: one that got work while it
// ran is scheduled again in memory of its own. Up to one operation in four was seen to meet a strand like that.
template <class Topology>
long allowance(long operations) {
  return Topology::wanders() ? operations / 2 : 0;
}

// One operation each, of the kinds that there are.
constexpr auto returns_int = [](const auto& resource) {
  return resource.async_invoke([](tally& t) { return ++t.hits; });
};
constexpr auto returns_nothing = [](const auto& resource) {
  return resource.async_invoke([](tally& t) { ++t.hits; }, asio::deferred);
};
constexpr auto returns_move_only = [](const auto& resource) {
  return resource.async_invoke([](tally& t) { return ++t.hits, std::unique_ptr<int>(); });
};
constexpr auto sets_error_code = [](const auto& resource) {
  return resource.async_invoke([](tally& t, std::error_code&) { return ++t.hits; });
};
constexpr auto is_move_only = [](const auto& resource) {
  return resource.async_invoke([owned = std::unique_ptr<int>()](tally& t) { t.hits += owned ? 2 : 1; });
};

// What `depth` coroutines do together: warm up, be counted, end. None goes ahead before all are ready to; until then
// they go on with what they do, so that there are always `depth` operations on their way.
class closed_loop {
 public:
  explicit closed_loop(int depth) : warming_(depth), counted_(depth), running_(depth) {}

  template <class Executor, class Resource, class Use>
  asio::awaitable<void, Executor> visit(Resource resource, Use use, int rounds) {
    for (int i = 0; i < 4; ++i) (void)co_await use(resource);
    if (--warming_ == 0) {
      allocation_counter::start();
      phase_ = counting;
    }
    while (phase_ == warming) (void)co_await use(resource);
    for (int i = 0; i < rounds; ++i) (void)co_await use(resource);
    if (--counted_ == 0) {
      allocations_ = allocation_counter::stop();
      phase_ = ending;
    }
    while (phase_ == counting) (void)co_await use(resource);
  }

  template <class Executor, class Resource, class Use>
  void run(const Executor& executor, const Resource& resource, Use use, int depth, int rounds) {
    testing::event ended;
    for (int i = 0; i < depth; ++i)
      asio::co_spawn(executor, visit<Executor>(resource, use, rounds), [&](std::exception_ptr failure) {
        if (failure) ++failures_;
        if (--running_ == 0) ended.set();
      });
    ended_in_time_ = ended.wait();
  }

  bool ended_in_time() const { return ended_in_time_; }
  long allocations() const { return allocations_; }
  int failures() const { return failures_; }

 private:
  enum phase { warming, counting, ending };

  std::atomic<int> warming_;
  std::atomic<int> counted_;
  std::atomic<int> running_;
  std::atomic<phase> phase_{warming};
  std::atomic<long> allocations_{-1};
  std::atomic<int> failures_{0};
  bool ended_in_time_ = false;
};

template <class Topology, class Use>
void check_that_awaiting_allocates_nothing(Use use, int depth) {
  const int rounds = std::max(3, 4'000 / depth);
  closed_loop loop(depth);
  {
    Topology topology;
    // Outlives the threads' copies: ThreadSanitizer does not know the fence with which Asio counts them.
    const auto callers = topology.callers();
    const auto resource = asyncres::make_async_resource<tally>(topology.home());
    loop.run(callers, resource, use, depth, rounds);
    topology.join();
  }
  REQUIRE(loop.ended_in_time());
  CHECK(loop.failures() == 0);
  CHECK(loop.allocations() <= allowance<Topology>(long{depth} * rounds));
}

// The operations of callbacks that each start the next, `depth` of them at a time, `rounds` one after another.
template <class Executor, class Resource>
struct callback_loop {
  Executor executor;
  Resource resource;
  testing::allocation_count count{};
  std::atomic<int> running{0};
  std::shared_ptr<testing::event> ended{};

  void start(int rounds) {
    resource.async_invoke([](tally& t) { return ++t.hits; },
                          asio::bind_allocator(testing::counting_allocator<void>(count),
                                               asio::bind_executor(executor, [this, rounds](std::exception_ptr, int) {
                                                 if (rounds > 1) return start(rounds - 1);
                                                 if (--running > 0) return;
                                                 const auto last = ended;  // This may be gone before set() returns.
                                                 last->set();
                                               })));
  }

  // False: it took too long.
  bool run(int depth, int rounds) {
    running = depth;
    for (int i = 0; i < depth; ++i) start(rounds);
    return ended->wait();
  }
};

template <class Topology>
void check_that_a_callback_costs_one_block(int depth) {
  const int rounds = std::max(3, 2'000 / depth);
  Topology topology;
  auto resource = asyncres::make_async_resource<tally>(topology.home());
  callback_loop<decltype(topology.callers()), decltype(resource)> loop{topology.callers(), resource};
  loop.ended = std::make_shared<testing::event>();
  REQUIRE(loop.run(depth, 4));

  loop.ended = std::make_shared<testing::event>();
  loop.count.allocations = 0;
  allocation_counter::start();
  const bool ended_in_time = loop.run(depth, rounds);
  const long allocations = allocation_counter::stop();
  REQUIRE(ended_in_time);
  topology.join();
  CHECK(loop.count.allocations == depth * rounds);
  CHECK(loop.count.live == 0);
  CHECK(allocations - loop.count.allocations <= allowance<Topology>(long{depth} * rounds));
}

template <class Allocate>
long count(Allocate allocate) {
  allocation_counter::start();
  allocate();
  return allocation_counter::stop();
}

}  // namespace

// A list each of where the resource and its users may be.
#define ASYNC_RESOURCE_TEST_TOPOLOGIES                                                                                 \
  (apart<io_1, erased, io_1, erased>), (apart<pool_1, erased, io_1, erased>), (apart<pool_4, erased, io_1, erased>),   \
      (apart<io_1, erased, io_4, erased>), (apart<io_1, concrete, io_1, concrete>),                                    \
      (apart<pool_4, concrete, io_4, concrete>), (apart<pool_1, on_strand, io_1, concrete>),                           \
      (apart<io_1, on_strand, pool_1, concrete>), (apart<pool_1, erased, pool_4, erased>),                             \
      (apart<pool_1, erased, io_1, on_strand>), (apart<io_1, erased, io_4, on_strand>),                                \
      (apart<io_1, concrete, pool_4, on_strand>), (apart<pool_1, erased, io_4, on_erased_strand>),                     \
      (apart<io_1, erased, pool_4, on_erased_strand>), (apart<system_threads, concrete, io_1, erased>),                \
      (apart<system_threads, erased, io_1, concrete>), (apart<system_threads, on_strand, pool_1, erased>),             \
      (apart<io_1, erased, system_threads, concrete>), (apart<pool_1, concrete, system_threads, erased>),              \
      (together<io_1, erased, erased>), (together<io_2, erased, erased>), (together<io_4, erased, erased>),            \
      (together<io_1, concrete, concrete>), (together<io_4, concrete, concrete>), (together<io_1, erased, on_strand>), \
      (together<io_4, erased, on_strand>), (together<io_4, on_strand, on_erased_strand>),                              \
      (together<pool_1, erased, erased>), (together<pool_4, erased, erased>), (together<pool_4, concrete, on_strand>), \
      (together<system_threads, erased, erased>), (together<system_threads, concrete, concrete>)

TEST_CASE("the counter counts every way of allocating", "[no_allocation]") {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  void* volatile block = nullptr;
  const auto released = [&] { std::free(block); };
  CHECK(count([] {}) == 0);
  CHECK(count([&] { block = std::malloc(1); }) == 1);
  CHECK(count([&] { block = std::realloc(block, 10'000); }) >= 1);
  released();
  CHECK(count([&] { block = std::calloc(1, 1); }) == 1);
  released();
  if (allocation_counter::sees_aligned_alloc) {
    CHECK(count([&] { block = std::aligned_alloc(64, 64); }) == 1);
    released();
    CHECK(count([&] {
            void* result = nullptr;
            if (posix_memalign(&result, 64, 64) == 0) block = result;
          }) == 1);
    released();
  }

  CHECK(count([&] { block = ::operator new(1); }) == 1);
  ::operator delete(block);
  CHECK(count([&] { block = ::operator new[](1); }) == 1);
  ::operator delete[](block);
  CHECK(count([&] { block = ::operator new(1, std::nothrow); }) == 1);
  ::operator delete(block, std::nothrow);
  CHECK(count([&] { block = ::operator new[](1, std::nothrow); }) == 1);
  ::operator delete[](block, std::nothrow);
  CHECK(count([&] { block = ::operator new(64, std::align_val_t(64)); }) == 1);
  ::operator delete(block, std::align_val_t(64));
  CHECK(count([&] { block = ::operator new[](64, std::align_val_t(64)); }) == 1);
  ::operator delete[](block, std::align_val_t(64));
  CHECK(count([&] { block = ::operator new(64, std::align_val_t(64), std::nothrow); }) == 1);
  ::operator delete(block, std::align_val_t(64), std::nothrow);

  long elsewhere = 0;
  {
    io_1 context;
    testing::event counted;
    asio::post(context.get_executor(), [&] {
      elsewhere = count([&] { block = ::operator new(1); });
      counted.set();
    });
    REQUIRE(counted.wait());
  }
  ::operator delete(block);
  CHECK(elsewhere == 1);
}

TEMPLATE_TEST_CASE("an operation that is awaited allocates nothing, wherever it goes and comes from",
                   "[async_resource][no_allocation]", ASYNC_RESOURCE_TEST_TOPOLOGIES) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  const int depth = GENERATE(1, 16, 256, 4'096);
  CAPTURE(depth);
  check_that_awaiting_allocates_nothing<TestType>(returns_int, depth);
}

TEMPLATE_TEST_CASE("an operation that is awaited allocates nothing, of whatever kind it is",
                   "[async_resource][no_allocation]", (apart<io_1, erased, io_1, erased>),
                   (apart<pool_4, concrete, io_4, on_strand>), (together<io_1, erased, erased>),
                   (together<io_4, concrete, erased>)) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  const int depth = GENERATE(1, 16, 256);
  CAPTURE(depth);
  SECTION("void") {
    check_that_awaiting_allocates_nothing<TestType>(returns_nothing, depth);
  }
  SECTION("a move-only result") {
    check_that_awaiting_allocates_nothing<TestType>(returns_move_only, depth);
  }
  SECTION("an error_code") {
    check_that_awaiting_allocates_nothing<TestType>(sets_error_code, depth);
  }
  SECTION("a move-only function") {
    check_that_awaiting_allocates_nothing<TestType>(is_move_only, depth);
  }
}

TEMPLATE_TEST_CASE("an operation of a pool, a lease or a double_dispatch that is awaited allocates nothing either",
                   "[async_resource][no_allocation]", (apart<io_1, erased, io_1, erased>),
                   (apart<pool_4, concrete, io_4, on_strand>), (together<io_1, erased, erased>),
                   (together<io_4, concrete, erased>)) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  const int depth = GENERATE(1, 16, 256);
  CAPTURE(depth);
  const int rounds = std::max(3, 4'000 / depth);
  closed_loop loop(depth);
  {
    TestType topology;
    const auto callers = topology.callers(), home = topology.home();
    using home_executor = std::remove_const_t<decltype(home)>;
    SECTION("a pool") {
      const asyncres::async_resource_pool<home_executor, tally> pool(home, 2, [](std::size_t) { return tally(); });
      loop.run(callers, pool, returns_int, depth, rounds);
    }
    SECTION("a lease") {
      const async_resource<home_executor, tally> resource(home);
      const auto lease =
          std::make_shared<asyncres::lease<home_executor, tally>>(resource.async_lease(asio::use_future).get());
      const auto use = [](const auto& shared) { return returns_int(*shared); };
      loop.run(callers, lease, use, depth, rounds);
    }
    SECTION("double_dispatch") {
      const auto use = [](const auto& where) { return asyncres::double_dispatch(where, [] { return 1; }); };
      loop.run(callers, home, use, depth, rounds);
    }
    topology.join();
  }
  REQUIRE(loop.ended_in_time());
  CHECK(loop.failures() == 0);
  CHECK(loop.allocations() <= allowance<TestType>(long{depth} * rounds));
}

TEMPLATE_TEST_CASE("with very many on their way, an operation that is awaited allocates nothing",
                   "[async_resource][no_allocation][.long]", (apart<io_1, erased, io_1, erased>),
                   (apart<pool_4, erased, io_4, on_strand>), (together<io_1, erased, erased>),
                   (together<io_4, erased, erased>), (together<pool_4, concrete, concrete>)) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  check_that_awaiting_allocates_nothing<TestType>(returns_int, 65'536);
}

TEMPLATE_TEST_CASE("an operation with a callback takes one block from its allocator, and nothing else",
                   "[async_resource][no_allocation]", ASYNC_RESOURCE_TEST_TOPOLOGIES) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  const int depth = GENERATE(1, 16, 1'000);
  CAPTURE(depth);
  check_that_a_callback_costs_one_block<TestType>(depth);
}

namespace {

template <class Executor>
testing::plain_coroutine use_in_plain_coroutine(async_resource<Executor, tally> resource, int times, long& allocations,
                                                std::shared_ptr<testing::event> done) {
  const auto use = [](tally& t) { return ++t.hits; };
  for (int i = 0; i < times; ++i) co_await resource.async_invoke(use);
  allocation_counter::start();
  for (int i = 0; i < times; ++i) co_await resource.async_invoke(use);
  allocations = allocation_counter::stop();
  done->set();
}

}  // namespace

TEMPLATE_TEST_CASE("an operation awaited in a coroutine that Asio does not know allocates nothing",
                   "[async_resource][no_allocation]", io_1, io_4, pool_1, pool_4) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  constexpr int times = 1'000;
  TestType home;
  long concrete = -1, erased = -1;
  for (const bool is_erased : {false, true}) {
    const auto done = std::make_shared<testing::event>();
    if (is_erased)
      use_in_plain_coroutine(async_resource<asio::any_io_executor, tally>(home.context()), times, erased, done);
    else
      use_in_plain_coroutine(asyncres::make_async_resource<tally>(home.context()), times, concrete, done);
    REQUIRE(done->wait());
  }
  home.join();
  const long allowed = TestType::threads > 1 ? times / 2 : 0;  // By the strand: see allowance().
  CHECK(concrete <= allowed);
  CHECK(erased <= allowed);
}

TEMPLATE_TEST_CASE("an operation that a thread blocks on allocates nothing", "[async_resource][no_allocation]", io_1,
                   io_4, pool_1, pool_4) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  constexpr int operations = 1'000;
  TestType home;
  const auto resource = asyncres::make_async_resource<tally>(home.context());
  const auto use = [&] { return resource.async_invoke([](tally& t) { return ++t.hits; }, asyncres::block); };
  use();
  allocation_counter::start();
  for (int i = 0; i < operations; ++i) use();
  const long allocations = allocation_counter::stop();
  home.join();
  CHECK(allocations <= operations / 2);  // By the strand: see allowance().
}

TEMPLATE_TEST_CASE("an operation whose handler has no allocator takes one block at most",
                   "[async_resource][no_allocation]", (apart<io_1, erased, io_1, erased>),
                   (apart<pool_4, concrete, io_4, on_strand>), (together<io_4, erased, erased>)) {
  if (!allocation_counter::works) SKIP("there is no way here to see what is allocated");
  constexpr int operations = 1'000;
  testing::event ended;
  TestType topology;
  const auto resource = asyncres::make_async_resource<tally>(topology.home());
  const auto executor = topology.callers();
  std::atomic<int> running{operations};
  testing::event warm;
  resource.async_invoke([](tally& t) { ++t.hits; },
                        asio::bind_executor(executor, [&](std::exception_ptr) { warm.set(); }));
  REQUIRE(warm.wait());
  allocation_counter::start();
  for (int i = 0; i < operations; ++i)
    resource.async_invoke([](tally& t) { ++t.hits; }, asio::bind_executor(executor, [&](std::exception_ptr) {
                            if (--running == 0) ended.set();
                          }));
  const bool ended_in_time = ended.wait();
  const long allocations = allocation_counter::stop();
  REQUIRE(ended_in_time);
  topology.join();
  CHECK(allocations <= operations + allowance<TestType>(operations));
}
