// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Serves a Python callable over TCP (Figure 4, the double dispatch). A frame is the length in two bytes, most
// significant first, then the payload. The callable has a thread of its own, so that no I/O thread waits for Python:
//
//   python_server --app-dir examples/3_python --app dns:answer --port 8053 --threads 2
//   dig +tcp -p 8053 @127.0.0.1 example MX

#include "session.hpp"

#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <async_resource/python.hpp>
#include <exception>
#include <iostream>

#include "../support/options.hpp"
#include "../support/server.hpp"

namespace {

void serve(const example::options& options) {
  example::server server(options);
  asyncres::python::interpreter interpreter({.path = {options.app_dir}, .use_environment = true});
  asio::thread_pool home(1);
  const example::app_type app(home, interpreter, options.app);
  app.async_load(asio::use_future).get();

  server.stop_on_signals();
  server.observe([&] { return app.resource().stats(); });
  server.run([&](auto& peer) { return example::session(peer, app); });
}

}  // namespace

int main(int argc, char** argv) try {
  serve(example::read_options(argc, argv, "Serves a Python callable without ever blocking an I/O thread."));
} catch (const asyncres::python::error& error) {
  std::cerr << "python_server: " << example::text_of(error) << '\n';
  return 1;
} catch (const std::exception& error) {
  std::cerr << "python_server: " << error.what() << '\n';
  return 1;
}
