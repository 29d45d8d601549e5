// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// The double dispatch, made visible: which thread runs what. The function goes out to the home of the resource, its
// result comes back to the coroutine's own thread, and so does what it throws.
//
//   the_hop

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <async_resource.hpp>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace {

const auto io_thread = std::this_thread::get_id();

void say(std::string_view what) {
  std::cout << (std::this_thread::get_id() == io_thread ? "I/O thread:  " : "home thread: ") << what << '\n';
}

using greeter = asyncres::async_resource<asio::thread_pool::executor_type, std::string>;

asio::awaitable<void> there_and_back(greeter resource, asio::thread_pool& pool) {
  say("asks the resource");
  const auto size = co_await resource.async_invoke([](std::string& greeting) {
    say("says " + greeting);
    return greeting.size();
  });
  say("has the result, " + std::to_string(size));

  say("asks for what cannot be done");
  try {
    co_await resource.async_invoke([](std::string& greeting) {
      say("throws");
      greeting.at(greeting.size());
    });
  } catch (const std::out_of_range&) {
    say("catches");
  }

  say("runs a function there, without a resource");
  co_await asyncres::double_dispatch(asio::make_strand(pool), [] { say("is somewhere else"); });
  say("is back");
}

}  // namespace

int main() {
  asio::thread_pool home(1);
  asio::io_context io;
  const greeter resource(home, "hello");

  asio::co_spawn(io, there_and_back(resource, home), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  io.run();
}
