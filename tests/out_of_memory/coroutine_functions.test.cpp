// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Functions that are coroutines where memory runs out at home. Replaces operator new, hence a program of its own.

#include <async_resource.hpp>

#include <catch2/catch_test_macros.hpp>

#include <asio.hpp>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <new>

namespace {

// How many allocations of the starved thread succeed before one fails; none fails below zero.
std::atomic<int> successes{-1};
thread_local bool starved = false;

}  // namespace

void* operator new(std::size_t size) {
  if (starved && successes >= 0 && successes-- == 0) throw std::bad_alloc();
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

// One after the other, each allocation at home fails. What the function comes to, or that, is told.
template <class Function>
void check(Function function) {
  for (int allocations = 0, unused = false; !unused; ++allocations) {
    asio::thread_pool home(1);
    const asyncres::async_resource<asio::thread_pool::executor_type, int> resource(home, 0);
    resource.async_invoke([](int&) { starved = true; }, asyncres::block);
    int right = 0, wrong = 0;
    asio::io_context callers;
    successes = allocations;
    resource.async_invoke(function, asio::bind_executor(callers.get_executor(), [&](std::exception_ptr e, int n) {
                            ++(!e && n == 7 ? right : wrong);
                          }));
    callers.run();
    unused = successes.exchange(-1) >= 0;
    CHECK(resource.async_invoke([](int& n) { return n; }, asyncres::block) == 0);
    home.join();
    CHECK(right + wrong == 1);
    CHECK((!unused || right == 1));
    const auto stats = resource.stats();
    CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.rejected);
  }
}

}  // namespace

TEST_CASE("a coroutine function for which there is no memory at home fails with that",
          "[async_resource][coroutine_functions][out_of_memory]") {
  SECTION("one that never waits") {
    check([](int&) -> asio::awaitable<int> { co_return 7; });
  }
  SECTION("one that does") {
    check([](int&) -> asio::awaitable<int> {
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      co_return 7;
    });
  }
}
