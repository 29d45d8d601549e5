// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP
#define ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP

#include <async_resource/python.hpp>

#include <asio/buffer.hpp>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/stream.hpp"

namespace example {

/// What Python would print.
inline std::string text_of(const asyncres::python::error& error) {
  return error.traceback().empty() ? error.type() + ": " + error.what() : error.traceback();
}

/// Serve one connection with a callable, or a pool of them.
/**
 * Requests that arrive together make one trip to Python and back, more only where their replies are large, and replies
 * are copied from where Python has them to the buffer that is sent; those of coroutines, which await at once, when it is
 * their turn. What arrives meanwhile is read when these have been answered. An error ends the connection; replies to
 * what came before are sent.
 */
//! [session]
template <class Peer, class Resource>
awaitable<void> answer(Peer& peer, const Resource& resource) {
  std::vector<asyncres::python::pending_reply> pending;
  for (;;) {
    const auto requests = co_await peer.read();
    for (auto next = requests.begin(); next != requests.end();) {
      std::exception_ptr failure;
      auto call_some = [&](asyncres::python::callable& callable) {
        const auto reply = [&](asio::const_buffer bytes) { peer.reply(bytes); };
        try {
          for (; next != requests.end() && !peer.full(); ++next) {
            const auto request = *next;
            auto later = pending.empty() ? callable.with_reply(asio::buffer(request), resource, reply)
                                         : callable.start(asio::buffer(request), resource);
            if (!pending.empty() || !later.ready()) pending.push_back(std::move(later));
          }
        } catch (...) {
          if (pending.empty()) throw;
          failure = std::current_exception();
        }
      };
      co_await resource.async_invoke(std::move(call_some));
      for (auto& each : pending) {
        if (peer.full()) co_await peer.flush();
        peer.reply(co_await std::move(each).async_get());
      }
      pending.clear();
      if (failure) std::rethrow_exception(failure);
      if (peer.full()) co_await peer.flush();
    }
  }
}
//! [session]

/// The same, for servers that print why a connection failed.
template <class Peer, class Resource>
awaitable<void> session(Peer& peer, const Resource& resource) try {
  co_await answer(peer, resource);
} catch (const asyncres::python::error& error) {
  throw std::runtime_error(text_of(error));
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP
