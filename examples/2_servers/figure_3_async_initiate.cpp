// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Figure 3: the call of Figure 2 as an asynchronous operation. async_initiate gives it every completion token, and yet
// it blocks as before: the function runs in the initiating thread, which is the I/O thread.
//
//   figure_3_async_initiate --app-dir examples/3_python --app counting_echo:slow --probe

#include "../support/embedded_python.hpp"

#include <asio/append.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <utility>

#include "../support/frames.hpp"
#include "../support/options.hpp"
#include "../support/server.hpp"
#include "../support/stream.hpp"

namespace {

template <asio::completion_token_for<void(std::exception_ptr, std::string)> Token>
auto async_call(PyObject* callable, const std::string& request, Token&& token) {
  return asio::async_initiate<Token, void(std::exception_ptr, std::string)>(
      [](auto handler, PyObject* function, const std::string& argument) {
        std::exception_ptr failure;
        std::string reply;
        try {
          const example::gil lock;
          reply = example::call(function, argument);
        } catch (...) {
          failure = std::current_exception();
        }
        const auto executor = asio::get_associated_executor(handler);
        asio::post(executor, asio::append(std::move(handler), failure, std::move(reply)));
      },
      token, callable, request);
}

template <class Peer>
example::awaitable<void> session(Peer& peer, PyObject* callable, std::size_t limit) {
  std::string request;
  for (;;) {
    co_await example::read_frame(peer, request, limit);
    const auto reply = co_await async_call(callable, request, example::use_awaitable);
    co_await example::write_frame(peer, reply, limit);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = example::read_options(argc, argv, "Serves a Python callable through an operation that blocks.");
  const example::embedded_python python(options.app_dir);
  PyObject* const callable = example::load(options.app);
  example::server server(options);
  server.stop_on_signals();
  server.run([&](auto& peer) { return session(peer, callable, options.limit); });
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
