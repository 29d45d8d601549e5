// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Figure 4: the double dispatch, by hand. A thread of its own holds the GIL for good; a request is dispatched to it,
// and its reply back to where the request came from. No I/O thread ever waits for Python:
//
//   figure_4_double_dispatch --app-dir examples/3_python --app counting_echo:slow --probe

#include "../support/embedded_python.hpp"

#include <asio/append.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <thread>
#include <utility>

#include "../support/frames.hpp"
#include "../support/options.hpp"
#include "../support/server.hpp"
#include "../support/stream.hpp"

namespace {

class python_thread {
 public:
  python_thread() = default;
  python_thread(const python_thread&) = delete;
  python_thread& operator=(const python_thread&) = delete;
  ~python_thread() { context_.stop(); }

  asio::io_context::executor_type get_executor() noexcept { return context_.get_executor(); }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::jthread thread_{[this] {
    const example::gil lock;
    context_.run();
  }};
};

template <asio::completion_token_for<void(std::exception_ptr, std::string)> Token>
auto async_call(asio::io_context::executor_type home, PyObject* callable, const std::string& request, Token&& token) {
  return asio::async_initiate<Token, void(std::exception_ptr, std::string)>(
      [home](auto handler, PyObject* function, const std::string& argument) {
        auto work = asio::make_work_guard(asio::get_associated_executor(handler));
        auto there = [function, &argument, work = std::move(work), handler = std::move(handler)]() mutable {
          std::exception_ptr failure;
          std::string reply;
          try {
            reply = example::call(function, argument);
          } catch (...) {
            failure = std::current_exception();
          }
          asio::dispatch(work.get_executor(), asio::append(std::move(handler), failure, std::move(reply)));
        };
        asio::dispatch(home, std::move(there));
      },
      token, callable, request);
}

template <class Peer>
example::awaitable<void> session(Peer& peer, python_thread& python, PyObject* callable, std::size_t limit) {
  std::string request;
  for (;;) {
    co_await example::read_frame(peer, request, limit);
    const auto reply = co_await async_call(python.get_executor(), callable, request, example::use_awaitable);
    co_await example::write_frame(peer, reply, limit);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = example::read_options(argc, argv, "Serves a Python callable that has a thread of its own.");
  const example::embedded_python python(options.app_dir);
  PyObject* const callable = example::load(options.app);
  example::server server(options);
  python_thread home;
  server.stop_on_signals();
  server.run([&](auto& peer) { return session(peer, home, callable, options.limit); });
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
