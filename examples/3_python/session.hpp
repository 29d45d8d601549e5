// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP
#define ASYNC_RESOURCE_EXAMPLES_3_PYTHON_SESSION_HPP

#include <async_resource/python.hpp>

#include <asio/buffer.hpp>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/in_order.hpp"
#include "../support/stream.hpp"

namespace example {

/// What Python would print; one line where the traceback tells of Python's own importing only.
inline std::string text_of(const asyncres::python::error& error) {
  const std::string& traceback = error.traceback();
  std::size_t file = traceback.find("File \"");
  while (file != std::string::npos && traceback.compare(file, 7, "File \"<") == 0)
    file = traceback.find("File \"", file + 1);
  return file == std::string::npos ? error.type() + ": " + error.what() : traceback;
}

/// Start requests in one trip to Python, and wait for each reply when it is its turn; read on meanwhile.
template <class Peer, class Resource, class Iterator>
awaitable<void> answer_in_order(Peer& peer, const Resource& resource, asyncres::python::pending_reply first,
                                Iterator second, Iterator last) {
  const auto start = [&](auto begin, auto end, std::vector<asyncres::python::pending_reply>& started) {
    return resource.async_invoke([&resource, &started, begin, end](asyncres::python::callable& callable) {
      for (auto next = begin; next != end; ++next) {
        const auto request = *next;
        started.push_back(callable.start(asio::buffer(request), resource));
      }
    });
  };
  co_await in_order<asyncres::python::pending_reply, Peer, decltype(start)>(peer, start)
      .run(std::move(first), second, last);
}

/// Serve one connection with a callable, or a pool of them.
/**
 * Requests that arrive together make one trip to Python and back, more only where their replies are large, and replies
 * are copied from where Python has them to the buffer that is sent. From the first request on whose reply a coroutine
 * is to give, which those behind it follow in a trip of their own, more is read while coroutines await. An error ends
 * the connection; replies to what came before are sent.
 */
//! [session]
template <class Peer, class Resource>
awaitable<void> answer(Peer& peer, const Resource& resource) {
  for (;;) {
    const auto requests = co_await peer.read();
    for (auto next = requests.begin(); next != requests.end();) {
      asyncres::python::pending_reply later;
      auto call_some = [&](asyncres::python::callable& callable) {
        const auto reply = [&](asio::const_buffer bytes) { peer.reply(bytes); };
        while (later.ready() && next != requests.end() && !peer.full()) {
          const auto request = *next++;
          later = callable.with_reply(asio::buffer(request), resource, reply);
        }
      };
      co_await resource.async_invoke(std::move(call_some));
      if (!later.ready()) co_return co_await answer_in_order(peer, resource, std::move(later), next, requests.end());
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
