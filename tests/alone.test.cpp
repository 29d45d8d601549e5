// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "support/contexts.hpp"

// Promise 1: alone.

using asyncres::async_resource;

namespace {

// Counts overlaps without preventing them.
struct single_file {
  std::atomic<int> inside{0};
  std::atomic<int> overlaps{0};
  long uses = 0;

  void use() {
    if (inside.fetch_add(1) != 0) ++overlaps;
    ++uses;
    inside.fetch_sub(1);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("no two functions of one resource overlap, from however many threads they are submitted",
                   "[async_resource][alone]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int senders = 4;
  constexpr int each = 2'000;

  single_file seen;
  TestType home;
  async_resource<asio::any_io_executor, single_file*> resource(home.context(), &seen);
  std::vector<std::thread> threads;
  for (int i = 0; i < senders; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < each; ++n) resource.async_invoke([](single_file* file) { file->use(); }, asio::detached);
    });
  for (auto& thread : threads) thread.join();
  home.join();

  CHECK(seen.overlaps == 0);
  CHECK(seen.uses == long{senders} * each);
}

TEMPLATE_TEST_CASE("a function runs on the strand that get_executor() returns", "[async_resource][alone]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  auto inside = resource.async_invoke(
      [executor = resource.get_executor()](int&) { return executor.running_in_this_thread(); }, asio::use_future);
  CHECK(inside.get());
  CHECK_FALSE(resource.get_executor().running_in_this_thread());
}

TEMPLATE_TEST_CASE("a resource made on a strand shares it: its functions overlap nothing else there",
                   "[async_resource][alone]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int each = 2'000;

  single_file seen;
  TestType home;
  auto strand = asio::make_strand(home.get_executor());
  auto resource = asyncres::make_async_resource<single_file*>(strand, &seen);
  REQUIRE(resource.get_executor() == strand);
  for (int i = 0; i < each; ++i) {
    asio::post(strand, [&seen] { seen.use(); });
    resource.async_invoke([](single_file* file) { file->use(); }, asio::detached);
  }
  home.join();

  CHECK(seen.overlaps == 0);
  CHECK(seen.uses == 2L * each);
}

TEMPLATE_TEST_CASE("a busy resource leaves the strand it shares to others now and then", "[async_resource][alone]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  auto strand = asio::make_strand(home.get_executor());
  auto resource = asyncres::make_async_resource<int>(strand, 0);

  constexpr int queued = 10'000;
  testing::event held;
  testing::event release;
  std::atomic<int> runs{0};
  int runs_before_other_work = -1;
  resource.async_invoke(
      [&](int&) {
        held.set();
        (void)release.wait();
      },
      asio::detached);
  const bool was_held = held.wait();
  for (int i = 0; i < queued; ++i) resource.async_invoke([&](int&) { ++runs; }, asio::detached);
  asio::post(strand, [&] { runs_before_other_work = runs; });
  release.set();
  home.join();

  CHECK(was_held);
  CHECK(runs == queued);
  CHECK(runs_before_other_work < queued);
}
