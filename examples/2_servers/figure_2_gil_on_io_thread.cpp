// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Figure 2: a Python callable, called on the I/O thread under the GIL. While it runs, or waits for the GIL, nothing
// else happens on that thread: every other connection stands still, and every timer is late. See for yourself:
//
//   figure_2_gil_on_io_thread --app-dir examples/3_python --app counting_echo:slow --probe

#include "../support/embedded_python.hpp"

#include <exception>
#include <iostream>
#include <string>

#include "../support/frames.hpp"
#include "../support/options.hpp"
#include "../support/server.hpp"
#include "../support/stream.hpp"

namespace {

template <class Peer>
example::awaitable<void> session(Peer& peer, PyObject* callable, std::size_t limit) {
  std::string request;
  std::string reply;
  for (;;) {
    co_await example::read_frame(peer, request, limit);
    {
      const example::gil lock;
      reply = example::call(callable, request);
    }
    co_await example::write_frame(peer, reply, limit);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = example::read_options(argc, argv, "Serves a Python callable that it calls on the I/O threads.");
  const example::embedded_python python(options.app_dir);
  PyObject* const callable = example::load(options.app);
  example::server server(options);
  server.stop_on_signals();
  server.run([&](auto& peer) { return session(peer, callable, options.limit); });
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
