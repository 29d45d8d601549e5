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
#include <async_resource/pool.hpp>
#include <async_resource/python.hpp>
#include <async_resource/tokens/block.hpp>
#include <cstddef>
#include <exception>
#include <iostream>
#include <map>
#include <string>
#include <utility>

#include "../support/options.hpp"
#include "../support/server.hpp"

namespace {

namespace python = asyncres::python;

struct python_server_options : example::options {
  asyncres::python_options serving;
  bool at_io_thread = false;
  std::size_t interpreters = 1;
};

template <class T>
example::command_option choice_option(const char* name, const char* values, const char* help,
                                      const std::map<std::string, T>& choices, T& result) {
  const auto take = [choices, &result](const char* text) {
    const auto chosen = choices.find(text);
    if (chosen == choices.end()) return false;
    result = chosen->second;
    return true;
  };
  return {name, values, help, take};
}

python_server_options read(int argc, char** argv) {
  python_server_options result;
  using python::gil_policy, python::request_type;
  example::read_options(
      argc, argv, "Serves a Python callable without ever blocking an I/O thread.", result,
      {example::text_option("app", "MODULE:CALLABLE", "what answers: bytes in, bytes out (counting_echo:echo)",
                            result.app),
       example::text_option("app-dir", "DIRECTORY", "where Python looks for MODULE first (.)", result.app_dir),
       choice_option<gil_policy>("policy", "POLICY",
                                 "when the GIL is held: per_batch, held for good, own_gil (a sub-interpreter), or "
                                 "free_threaded (per_batch)",
                                 {{"per_batch", gil_policy::per_batch},
                                  {"held", gil_policy::held},
                                  {"own_gil", gil_policy::own_gil},
                                  {"free_threaded", gil_policy::free_threaded}},
                                 result.serving.gil),
       choice_option<request_type>(
           "request", "TYPE", "what the callable is given: bytes, or a memoryview: view (bytes)",
           {{"bytes", request_type::bytes}, {"view", request_type::view}}, result.serving.request),
       choice_option<bool>("home", "WHERE",
                           "where Python runs: on a thread of its own, or for callables that take microseconds on the "
                           "first io thread (thread)",
                           {{"thread", false}, {"io", true}}, result.at_io_thread),
       example::number_option<std::size_t>("interpreters", "COUNT", "with own_gil: that many, on as many threads (1)",
                                           result.interpreters, 1)});
  if (result.interpreters > 1 && result.serving.gil != gil_policy::own_gil)
    example::reject_command_line(argv, "--interpreters goes with --policy own_gil");
  if (result.at_io_thread && result.interpreters > 1)
    example::reject_command_line(argv, "--interpreters have threads of their own, hence cannot be had with --home io");
  return result;
}

template <class App>
void serve_with(example::server& server, const App& app) {
  server.stop_on_signals();
  server.observe([&] { return app.stats(); });
  server.run([&](auto& peer) { return example::session(peer, app); });
}

template <class Executor>
void serve_one(example::server& server, python::interpreter& interpreter, const python_server_options& options,
               const Executor& where) {
  python::callable callable(interpreter, options.app, options.serving);
  if (options.at_io_thread) callable.load();  // here: that is the thread that will run it
  const asyncres::python_app app(where, std::move(callable));
  if (!options.at_io_thread) app.async_load(asyncres::block);
  serve_with(server, app.resource());
}

void serve_several(example::server& server, python::interpreter& interpreter, const python_server_options& options,
                   const asio::thread_pool::executor_type& where) {
  const auto make = [&](std::size_t) { return python::callable(interpreter, options.app, options.serving); };
  const asyncres::async_resource_pool<asio::thread_pool::executor_type, python::callable> pool(
      where, options.interpreters, make, options.serving.resource);
  const auto load = [](python::callable& callable) { callable.load(); };
  for (std::size_t i = 0; i != options.interpreters; ++i) pool.async_invoke_on(i, load, asyncres::block);
  serve_with(server, pool);
}

void serve(const python_server_options& options) {
  example::server server(options);
  python::interpreter interpreter({.path = {options.app_dir}, .use_environment = true});
  if (options.at_io_thread) return serve_one(server, interpreter, options, server.io_executor());
  asio::thread_pool threads(options.interpreters);
  if (options.interpreters == 1) return serve_one(server, interpreter, options, threads.get_executor());
  serve_several(server, interpreter, options, threads.get_executor());
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = read(argc, argv);
  serve(options);
} catch (const asyncres::python::error& error) {
  std::cerr << "python_server: " << example::text_of(error) << '\n';
  return 1;
} catch (const std::exception& error) {
  std::cerr << "python_server: " << error.what() << '\n';
  return 1;
}
