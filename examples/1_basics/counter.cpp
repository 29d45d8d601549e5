// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A resource that only one thread may touch at a time, used by many. The counter below has no lock, and yet no visit is
// lost: each is carried to the counter's home, made there alone, and its result carried back. No visitor's thread ever
// waits.
//
//   counter

//! [readme]
#include <asio.hpp>
#include <async_resource.hpp>
#include <iostream>
#include <thread>

struct tally {
  int hits = 0;
};

asio::awaitable<void> visit(auto counter, int times) {
  for (int i = 0; i < times; ++i) {
    //! [ask]
    auto n = co_await counter.async_invoke([](tally& t) { return ++t.hits; });
    //! [ask]
    if (n == 4000) std::cout << "the last of " << n << " visits\n";
  }
}

int main() {
  asio::thread_pool home(1);  // where the tally lives
  asio::io_context visitors;  // where everything else happens
  const auto counter = asyncres::make_async_resource<tally>(home);

  for (int i = 0; i < 4; ++i) asio::co_spawn(visitors, visit(counter, 1000), asio::detached);
  std::jthread another([&] { visitors.run(); });
  visitors.run();
}
//! [readme]
