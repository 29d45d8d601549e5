// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/python/detail/gate.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>
#include <vector>

using asyncres::python::detail::gate;

TEST_CASE("a closed gate lets nobody in", "[python][gate]") {
  gate g;
  CHECK(g.open());
  CHECK(g.enter());
  CHECK(g.enter());
  g.leave();
  g.leave();
  g.close();
  CHECK(!g.open());
  CHECK(!g.enter());
  g.close();
}

TEST_CASE("closing a gate waits for those inside", "[python][gate]") {
  for (int round = 0; round < 1000; ++round) {
    gate g;
    std::atomic<bool> entered = false, finished = false;
    std::thread visitor([&] {
      if (!g.enter()) return;
      entered = true;
      entered.notify_one();
      finished = true;
      g.leave();
    });
    entered.wait(false);
    g.close();
    CHECK(finished);
    visitor.join();
  }
}

TEST_CASE("those who enter and the one who closes agree", "[python][gate]") {
  for (int round = 0; round < 200; ++round) {
    gate g;
    std::atomic<int> inside = 0;
    std::vector<std::thread> visitors;
    for (int t = 0; t < 4; ++t) {
      visitors.emplace_back([&] {
        while (g.enter()) {
          ++inside;
          --inside;
          g.leave();
        }
      });
    }
    g.close();
    CHECK(inside == 0);
    for (auto& visitor : visitors) visitor.join();
  }
}
