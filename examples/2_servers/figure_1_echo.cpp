// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Figure 1: an echo server. Each connection is a coroutine, and an I/O thread serves many of them because none waits
// for anything but its socket.
//
//   figure_1_echo --port 8888 &
//   printf '\0\5hello' | nc -q1 127.0.0.1 8888 | xxd

#include <exception>
#include <iostream>
#include <string>

#include "../support/frames.hpp"
#include "../support/options.hpp"
#include "../support/server.hpp"
#include "../support/stream.hpp"

namespace {

template <class Peer>
example::awaitable<void> echo(Peer& peer, std::size_t limit) {
  std::string payload;
  for (;;) {
    co_await example::read_frame(peer, payload, limit);
    co_await example::write_frame(peer, payload, limit);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = example::read_options(argc, argv, "An echo server; it takes no notice of --app and --app-dir.");
  example::server server(options);
  server.stop_on_signals();
  server.run([&](auto& peer) { return echo(peer, options.limit); });
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
