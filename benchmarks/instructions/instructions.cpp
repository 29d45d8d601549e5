// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// The awaited path, for an instruction counter to watch: 256 coroutines on one io_context and one thread, each with one
// operation outstanding, on a resource with a trivial function. count.py runs it twice and divides the difference.
//
//   async_resource_instructions 40       40 operations of each coroutine
//   async_resource_instructions          what it was compiled with

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/version.hpp>
#include <async_resource.hpp>
#include <cstdlib>
#include <exception>
#include <iostream>

namespace {

constexpr int coroutines = 256;

using counter = asyncres::async_resource<asio::any_io_executor, long>;

asio::awaitable<void> use(counter resource, long times) {
  for (long i = 0; i < times; ++i) co_await resource.async_invoke([](long& uses) { return ++uses; });
}

long run(long times) {
  asio::io_context io;
  const counter resource(asio::any_io_executor(io.get_executor()), 0);
  const auto rethrow = [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  };
  for (int i = 0; i < coroutines; ++i) asio::co_spawn(io, use(resource, times), rethrow);
  io.run();

  long uses = 0;
  resource.async_invoke([](long& all) { return all; }, [&](std::exception_ptr, long all) { uses = all; });
  io.restart();
  io.run();
  return uses;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cout << "{\"compiler\": \""
              <<
#ifdef __clang__
        "Clang "
#else
        "GCC "
#endif
              << __VERSION__ << "\", \"asio\": " << ASIO_VERSION << ", \"flags\": \"" << INSTRUCTIONS_FLAGS << "\"}\n";
    return 0;
  }
  const long times = std::atol(argv[1]);
  const long uses = run(times);
  std::cout << uses << '\n';
  return uses == coroutines * times ? 0 : 1;
}
