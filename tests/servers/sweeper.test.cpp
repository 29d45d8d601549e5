// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <utility>

#include "../../examples/support/options.hpp"
#include "../../examples/support/roster.hpp"

namespace {

// Idle, and tells of each look at it.
class idler final : public example::watched {
 public:
  idler(example::roster& all, std::function<void()> looked) : looked_(std::move(looked)) {
    enter(example::phase::idle, all.now);
    all.connections.push_back(this);
  }

  void cancel() noexcept override {}
  void close() noexcept override {}
  bool between_frames() noexcept override { return looked_(), true; }

 private:
  std::function<void()> looked_;
};

}  // namespace

TEST_CASE("a tick that has many connections to look at lets others have the thread meanwhile, and forgets none",
          "[examples][connection]") {
  constexpr std::size_t many = 1000;
  asio::io_context context(1);
  example::roster roster;
  std::size_t looks = 0, looks_before_other = many;
  std::list<idler> connections;
  const auto looked = [&] {
    if (++looks == 1) asio::post(context, [&] { looks_before_other = looks; });
    if (looks == many) context.stop();
  };
  for (std::size_t i = 0; i != many; ++i) connections.emplace_back(roster, looked);
  example::timeouts patience;
  patience.idle = std::chrono::milliseconds(1);
  example::sweeper sweeper(context, roster, patience);
  context.run();
  CHECK(looks_before_other < many / 10);
  std::size_t expired = 0;
  for (const auto& each : connections) expired += each.expired().has_value();
  CHECK(expired == 0);
  sweeper.sweep(std::chrono::hours(1));
  sweeper.sweep(std::chrono::hours(1));
  for (const auto& each : connections) expired += each.expired() == example::phase::idle;
  CHECK(expired == many);
}
