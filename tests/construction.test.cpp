// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/pool.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// The constructors, and what can be made of what.

using asyncres::async_resource;
using asyncres::make_async_resource;

namespace {

struct point {
  int x;
  int y;
};

struct pinned {
  explicit pinned(int n) : value(n), born_in(std::this_thread::get_id()) {}
  pinned(const pinned&) = delete;
  int value;
  std::thread::id born_in;
};

using io_executor = asio::io_context::executor_type;

// Gives its executor to whoever asks.
struct open_context : asio::io_context {
  using asio::io_context::get_executor;
  io_executor get_executor() const noexcept {
    return const_cast<open_context*>(this)->asio::io_context::get_executor();
  }
};

template <class Where>
concept makes_number = requires(Where&& where) {
  make_async_resource<int>(std::forward<Where>(where), 1);
};

}  // namespace

TEST_CASE("is_constructible tells the truth", "[async_resource][construction]") {
  using numbers = async_resource<asio::any_io_executor, std::vector<int>>;
  STATIC_REQUIRE(std::is_constructible_v<numbers, asio::io_context&>);
  STATIC_REQUIRE(std::is_constructible_v<numbers, asio::thread_pool&, std::size_t, int>);
  STATIC_REQUIRE(std::is_constructible_v<numbers, io_executor>);
  STATIC_REQUIRE(std::is_constructible_v<numbers, asio::any_io_executor>);
  STATIC_REQUIRE(std::is_constructible_v<numbers, asio::strand<io_executor>>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<numbers>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<numbers, int>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<numbers, asio::io_context&, std::string>);

  using on_io = async_resource<io_executor, int>;
  STATIC_REQUIRE(std::is_constructible_v<on_io, asio::io_context&, int>);
  STATIC_REQUIRE(std::is_constructible_v<on_io, const asio::strand<io_executor>&, int>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<on_io, asio::thread_pool&, int>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<on_io, asio::any_io_executor, int>);

  using pool = asyncres::async_resource_pool<io_executor, int>;
  STATIC_REQUIRE(std::is_constructible_v<pool, asio::io_context&, std::size_t, int (*)(std::size_t)>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<pool, asio::thread_pool&, std::size_t, int (*)(std::size_t)>);

  STATIC_REQUIRE(makes_number<asio::io_context&>);
  STATIC_REQUIRE(makes_number<const io_executor&>);
  STATIC_REQUIRE(makes_number<const asio::strand<io_executor>&>);
  STATIC_REQUIRE_FALSE(makes_number<int>);

  STATIC_REQUIRE_FALSE(std::is_convertible_v<asio::io_context&, numbers>);
  STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<numbers>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<numbers>);
  STATIC_REQUIRE(std::is_nothrow_copy_assignable_v<numbers>);
}

TEST_CASE("a context that is const is a home if it gives its executor", "[async_resource][construction]") {
  using on_io = async_resource<io_executor, int>;
  using erased = async_resource<asio::any_io_executor, int>;
  using pool = asyncres::async_resource_pool<io_executor, int>;
  using factory = int (*)();
  using pool_factory = int (*)(std::size_t);
  using asyncres::from_factory_t;
  using asyncres::resource_options;

  STATIC_REQUIRE_FALSE(std::is_constructible_v<on_io, const asio::io_context&, int>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<erased, const asio::io_context&, int>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<on_io, const asio::io_context&, resource_options, std::in_place_t, int>);
  STATIC_REQUIRE_FALSE(
      std::is_constructible_v<on_io, const asio::io_context&, resource_options, from_factory_t, factory>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<pool, const asio::io_context&, std::size_t, pool_factory>);
  STATIC_REQUIRE_FALSE(makes_number<const asio::io_context&>);

  open_context context;
  const open_context& seen = context;
  const erased resource(seen, 1);
  CHECK(make_async_resource<int>(seen, 1).get_inner_executor() == context.get_executor());
  CHECK(pool(seen, 1, [](std::size_t) { return 1; }).get_executor() == context.get_executor());
  CHECK(resource.get_inner_executor() == asio::any_io_executor(context.get_executor()));
}

TEMPLATE_TEST_CASE("a resource is constructed in place, in the caller's thread", "[async_resource][construction]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, pinned> resource(home.context(), 7);
  CHECK(resource.async_invoke([](pinned& p) { return p.value; }, asio::use_future).get() == 7);
  CHECK(resource.async_invoke([](pinned& p) { return p.born_in; }, asio::use_future).get() ==
        std::this_thread::get_id());
}

TEMPLATE_TEST_CASE("parentheses where they do, braces for an aggregate", "[async_resource][construction]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  TestType home;
  async_resource<asio::any_io_executor, std::vector<int>> five_sevens(home.context(), 5u, 7);
  CHECK(five_sevens.async_invoke([](std::vector<int>& v) { return v; }, asio::use_future).get() == std::vector(5, 7));
  async_resource<asio::any_io_executor, point> aggregate(home.context(), 1, 2);
  CHECK(aggregate.async_invoke([](point& p) { return p.x + 10 * p.y; }, asio::use_future).get() == 21);
}

TEST_CASE("a resource may overload operator&", "[async_resource][construction]") {
  struct handle {
    explicit handle(int v) : value(v) {}
    handle* operator&() { return nullptr; }
    int value;
  };
  asio::io_context context;
  async_resource<asio::any_io_executor, handle> resource(context, 3);
  auto value = resource.async_invoke([](handle& h) { return h.value; }, asio::use_future);
  context.run();
  CHECK(value.get() == 3);
}

TEST_CASE("a constructor that throws leaves nothing behind", "[async_resource][construction]") {
  struct fails {
    explicit fails(std::shared_ptr<int> p) : keep(std::move(p)) { throw std::runtime_error("no"); }
    std::shared_ptr<int> keep;
  };
  asio::io_context context;
  auto owned = std::make_shared<int>();
  CHECK_THROWS_AS((async_resource<asio::any_io_executor, fails>(context, owned)), std::runtime_error);
  CHECK(owned.use_count() == 1);
}

TEST_CASE("make_async_resource deduces the executor", "[async_resource][construction]") {
  asio::io_context context;
  const auto from_context = make_async_resource<int>(context, 1);
  STATIC_REQUIRE(std::is_same_v<decltype(from_context), const async_resource<io_executor, int>>);
  const auto from_executor = make_async_resource<int>(asio::any_io_executor(context.get_executor()), 1);
  STATIC_REQUIRE(std::is_same_v<decltype(from_executor), const async_resource<asio::any_io_executor, int>>);

  const auto strand = asio::make_strand(context);
  const auto from_strand = make_async_resource<int>(strand, 1);
  STATIC_REQUIRE(std::is_same_v<decltype(from_strand), const async_resource<io_executor, int>>);
  CHECK(from_strand.get_executor() == strand);

  const asio::strand<asio::any_io_executor> erased(context.get_executor());
  CHECK(make_async_resource<int>(erased, 1).get_executor() == erased);
}

TEST_CASE("the strand is made of the executor that was given", "[async_resource][construction]") {
  asio::io_context context;
  const async_resource<asio::any_io_executor, int> resource(context, 1);
  CHECK(resource.get_inner_executor() == asio::any_io_executor(context.get_executor()));
  CHECK(resource.get_executor().get_inner_executor() == resource.get_inner_executor());
  STATIC_REQUIRE(std::is_same_v<decltype(resource.get_executor()), asio::strand<asio::any_io_executor>>);
}

TEST_CASE("copies name the same resource", "[async_resource][construction]") {
  asio::io_context context;
  const async_resource<asio::any_io_executor, int> resource(context, 1);
  auto copy = resource;
  const async_resource<asio::any_io_executor, int> other(context, 1);
  CHECK(copy == resource);
  CHECK(copy != other);
  CHECK(copy.get_executor() == resource.get_executor());
  auto moved = std::move(copy);
  CHECK(moved == resource);
  copy = other;
  CHECK(copy == other);
}
