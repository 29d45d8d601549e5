// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP
#define ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP

#include <async_resource/python.hpp>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <async_resource/framing.hpp>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace example {

/// A Python callable that lives on a thread_pool.
using app_type = asyncres::python_app<asio::thread_pool::executor_type>;

/// What Python would print.
inline std::string text_of(const asyncres::python::error& error) {
  return error.traceback().empty() ? error.type() + ": " + error.what() : error.traceback();
}

/// Serve one connection until it ends, or something is wrong with a request or its reply.
//! [session]
inline asio::awaitable<void> session(asio::ip::tcp::socket& socket, const app_type& app, std::size_t limit) try {
  std::string request;
  for (;;) {
    co_await asyncres::framing::async_read_frame(socket, request, limit, asio::use_awaitable);
    const auto reply = co_await app.async_call(asio::buffer(request));
    co_await asyncres::framing::async_write_frame(socket, asio::const_buffer(reply), limit, asio::use_awaitable);
  }
} catch (const asyncres::python::error& error) {
  throw std::runtime_error(text_of(error));
}
//! [session]

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP
