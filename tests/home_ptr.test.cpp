// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/home_ptr.hpp>

#include <async_resource/async_resource.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/contexts.hpp"
#include "support/error_codes.hpp"

using asyncres::async_resource;
using asyncres::home_ptr;
using asyncres::make_home_ptr;

namespace {

struct graves {
  std::atomic<int> at_home{0};
  std::atomic<int> elsewhere{0};
};

struct mortal {
  mortal(asio::strand<asio::any_io_executor> s, graves& g) : strand(std::move(s)), where(&g) {}
  ~mortal() { ++(strand.running_in_this_thread() ? where->at_home : where->elsewhere); }
  asio::strand<asio::any_io_executor> strand;
  graves* where;
  int value = 9;
};

struct immortal {
  explicit immortal(std::atomic<int>& n) : deaths(&n) {}
  ~immortal() { ++*deaths; }
  std::atomic<int>* deaths;
};

struct point {
  int x;
  int y;
};

}  // namespace

template <>
inline constexpr bool asyncres::leak_when_homeless<immortal> = true;

TEMPLATE_TEST_CASE("what a home_ptr points to dies at home, wherever it is dropped", "[home_ptr]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  constexpr int pointers = 200;
  TestType home;
  TestType callers;
  graves dead;
  {
    async_resource<asio::any_io_executor, int> resource(home.context(), 0);
    for (int i = 0; i < pointers; ++i)
      resource.async_invoke(
          [&dead, resource](int&) { return make_home_ptr<mortal>(resource, resource.get_executor(), dead); },
          asio::bind_executor(callers.get_executor(), [](std::exception_ptr, home_ptr<mortal>) {}));
  }
  callers.join();
  home.join();
  CHECK(dead.at_home == pointers);
  CHECK(dead.elsewhere == 0);
}

TEST_CASE("a home_ptr keeps its resource alive", "[home_ptr]") {
  asio::io_context context;
  graves dead;
  home_ptr<mortal> pointer;
  CHECK(pointer == nullptr);
  {
    async_resource<asio::any_io_executor, int> resource(context, 0);
    resource.async_invoke(
        [&dead, &resource](int&) { return make_home_ptr<mortal>(resource, resource.get_executor(), dead); },
        [&](std::exception_ptr, home_ptr<mortal> p) { pointer = std::move(p); });
    context.run();
  }
  REQUIRE(pointer);
  CHECK(pointer->value == 9);
  CHECK(&*pointer == pointer.get());
  context.restart();
  context.run();
  CHECK(dead.at_home + dead.elsewhere == 0);
  pointer.reset();
  CHECK_FALSE(pointer);
  CHECK(dead.at_home + dead.elsewhere == 0);
  context.restart();
  context.run();
  CHECK(dead.at_home == 1);
  CHECK(dead.elsewhere == 0);
}

TEST_CASE("a home_ptr is moved like a unique_ptr", "[home_ptr]") {
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<home_ptr<int>>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<home_ptr<int>>);
  STATIC_REQUIRE(std::is_nothrow_destructible_v<home_ptr<int>>);
  asio::io_context context;
  async_resource<asio::any_io_executor, int> resource(context, 0);
  int value = 0;
  resource.async_invoke(
      [&](int&) {
        auto first = make_home_ptr<int>(resource, 1);
        auto second = make_home_ptr<int>(resource, 2);
        first.swap(second);
        second = std::move(first);
        value = *second + (first ? 100 : 0);
      },
      asio::detached);
  context.run();
  CHECK(value == 2);
}

TEST_CASE("a home_ptr is made at home only", "[home_ptr]") {
  auto context = std::make_optional<asio::io_context>();
  async_resource<asio::any_io_executor, int> resource(*context, 0);
  const auto code_of_making_one = [&] {
    return testing::code_thrown_by([&] { (void)make_home_ptr<int>(resource, 1); });
  };
  CHECK(code_of_making_one() == asyncres::errc::not_at_home);
  context.reset();
  CHECK(code_of_making_one() == asyncres::errc::not_at_home);
}

TEMPLATE_TEST_CASE("an object is made with parentheses where they do, with braces if it is an aggregate", "[home_ptr]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, int> resource(home.context(), 0);
  auto made = resource.async_invoke(
      [resource](int&) {
        const auto aggregate = make_home_ptr<point>(resource, 1, 2);
        const auto five_sevens = make_home_ptr<std::vector<int>>(resource, 5u, 7);
        const auto immovable = make_home_ptr<std::atomic<int>>(resource, 4);
        return std::tuple(aggregate->x, aggregate->y, *five_sevens, immovable->load());
      },
      asio::use_future);
  CHECK(made.get() == std::tuple(1, 2, std::vector(5, 7), 4));
}

TEST_CASE("with home gone, the object is destroyed where it is dropped, or left alone if it asks for that",
          "[home_ptr]") {
  auto context = std::make_optional<asio::io_context>();
  std::atomic<int> deaths{0};
  auto owned = std::make_shared<int>();
  home_ptr<std::shared_ptr<int>> destroyed;
  home_ptr<immortal> left_alone;
  static immortal* left = nullptr;  // For LeakSanitizer, to which what can be reached is no leak.
  {
    async_resource<asio::any_io_executor, int> resource(*context, 0);
    resource.async_invoke(
        [&](int&) {
          destroyed = make_home_ptr<std::shared_ptr<int>>(resource, owned);
          left_alone = make_home_ptr<immortal>(resource, deaths);
        },
        asio::detached);
    context->run();
  }
  context.reset();
  CHECK(owned.use_count() == 2);
  destroyed.reset();
  CHECK(owned.use_count() == 1);
  left = left_alone.get();
  left_alone.reset();
  CHECK(deaths == 0);
  CHECK(left->deaths == &deaths);  // Still there.
}

TEST_CASE("home destroyed with dropped objects still queued destroys them", "[home_ptr]") {
  auto owned = std::make_shared<int>();
  {
    asio::io_context context;
    async_resource<asio::any_io_executor, int> resource(context, 0);
    home_ptr<std::shared_ptr<int>> pointer;
    resource.async_invoke([&](int&) { pointer = make_home_ptr<std::shared_ptr<int>>(resource, owned); },
                          asio::detached);
    context.run();
    pointer.reset();
    CHECK(owned.use_count() == 2);
  }
  CHECK(owned.use_count() == 1);
}
