// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// Promise 2: in order.

using asyncres::async_resource;

TEMPLATE_TEST_CASE("functions start in the order in which one thread submits them, also with other threads submitting",
                   "[async_resource][order]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int senders = 3;
  constexpr int each = 5'000;

  using entry = std::pair<int, int>;
  std::vector<entry> started;
  TestType home;
  {
    async_resource<asio::any_io_executor, std::vector<entry>*> resource(home.context(), &started);
    std::vector<std::thread> threads;
    for (int sender = 0; sender < senders; ++sender)
      threads.emplace_back([&resource, sender] {
        for (int n = 0; n < each; ++n)
          resource.async_invoke([sender, n](std::vector<entry>* list) { list->emplace_back(sender, n); },
                                asio::detached);
      });
    for (auto& thread : threads) thread.join();
  }
  home.join();

  REQUIRE(started.size() == std::size_t{senders} * each);
  std::array<int, senders> next{};
  const bool in_order = std::all_of(started.begin(), started.end(), [&next](const entry& e) {
    return e.second == next[static_cast<std::size_t>(e.first)]++;
  });
  CHECK(in_order);
}

TEMPLATE_TEST_CASE("a function submitted from within a function starts after those already queued",
                   "[async_resource][order]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  std::vector<int> started;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  testing::event queued;
  resource.async_invoke(
      [&](int&) {
        (void)queued.wait();
        resource.async_invoke([&](int&) { started.push_back(3); }, asio::detached);
        started.push_back(1);
      },
      asio::detached);
  resource.async_invoke([&](int&) { started.push_back(2); }, asio::detached);
  queued.set();
  home.join();

  CHECK(started == std::vector{1, 2, 3});
}
