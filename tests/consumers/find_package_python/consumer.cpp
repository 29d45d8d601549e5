// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <async_resource/python.hpp>
#include <exception>

int main() {
  asyncres::python::interpreter interpreter;
  asio::io_context context;
  asyncres::python_app<asio::io_context::executor_type> app{context, interpreter, "builtins:bytes"};
  bool same = false;
  app.async_call(asio::buffer("42", 2),
                 [&](std::exception_ptr error, asyncres::python::reply reply) { same = !error && reply.size() == 2; });
  context.run();
  return same ? 0 : 1;
}
