// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP
#define ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP

#include <async_resource/python.hpp>

#include <asio/buffer.hpp>
#include <asio/thread_pool.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "../support/stream.hpp"

namespace example {

/// A Python callable that lives on a thread_pool.
using app_type = asyncres::python_app<asio::thread_pool::executor_type>;

/// What Python would print.
inline std::string text_of(const asyncres::python::error& error) {
  return error.traceback().empty() ? error.type() + ": " + error.what() : error.traceback();
}

/// Serve one connection. Requests that arrive together make one trip to Python and back.
//! [session]
template <class Peer>
awaitable<void> session(Peer& peer, const app_type& app) try {
  for (;;) {
    const auto requests = co_await peer.read();
    auto answer_all = [&](asyncres::python::callable& callable) {
      for (const auto request : requests) peer.reply(callable(asio::buffer(request), app.resource()));
    };
    co_await app.resource().async_invoke(std::move(answer_all));
    co_await peer.flush();
  }
} catch (const asyncres::python::error& error) {
  throw std::runtime_error(text_of(error));
}
//! [session]

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP
