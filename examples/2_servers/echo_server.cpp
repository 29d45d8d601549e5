// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Figure 1 in bulk: requests that arrive together are read together, and their replies leave together. With many in
// flight a request costs a fraction of a system call.
//
//   echo_server --port 8888 --prefix 4 &
//   printf '\0\0\0\5hello' | nc -q1 127.0.0.1 8888 | xxd

#include <async_resource/framing.hpp>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>

#include "../support/options.hpp"
#include "../support/server.hpp"
#include "../support/stream.hpp"

namespace {

//! [session]
template <class Peer>
example::awaitable<void> echo(Peer& peer) {
  for (;;) {
    for (const auto request : co_await peer.read()) peer.reply(request);
  }
}
//! [session]

template <class Length>
void serve(const example::options& options) {
  example::server server(options);
  server.stop_on_signals();
  server.run<asyncres::framing::length_prefix<Length>>([](auto& peer) { return echo(peer); });
}

}  // namespace

int main(int argc, char** argv) try {
  example::options options;
  std::size_t prefix = 2;
  const auto take_prefix = [&](const char* text) {
    return example::read_number(text, prefix) && prefix <= 8 && std::has_single_bit(prefix);
  };
  example::read_options(
      argc, argv, "An echo server that reads and writes many frames at once.", options,
      {{"prefix", "BYTES", "the size of the length before each frame: 1, 2, 4 or 8 (2)", take_prefix}});
  switch (prefix) {
    case 1: serve<std::uint8_t>(options); break;
    case 2: serve<std::uint16_t>(options); break;
    case 4: serve<std::uint32_t>(options); break;
    default: serve<std::uint64_t>(options);
  }
} catch (const std::exception& error) {
  std::cerr << "echo_server: " << error.what() << '\n';
  return 1;
}
