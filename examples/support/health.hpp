// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_HEALTH_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_HEALTH_HPP

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/read_until.hpp>
#include <asio/socket_base.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "listener.hpp"
#include "statistics.hpp"
#include "stream.hpp"

namespace example {

/// What an HTTP request of any kind is answered with.
struct health {
  bool serving;
  std::string body;
};

inline asio::awaitable<void> answer_http(plain_stream& socket, const std::function<health()>& look) {
  constexpr std::size_t longest = 8 * 1024;
  std::string request;
  const auto [error, size] =
      co_await asio::async_read_until(socket, asio::dynamic_buffer(request, longest), std::string_view("\r\n\r\n"),
                                      asio::as_tuple(asio::use_awaitable));
  if (error) co_return;
  const auto now = look();
  std::string response = now.serving ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 404 Not Found\r\n";
  response += "Content-Type: application/json\r\nCache-Control: no-store\r\nConnection: close\r\n";
  response += "Content-Length: " + std::to_string(now.body.size()) + "\r\n\r\n";
  if (!request.starts_with("HEAD ")) response += now.body;
  co_await asio::async_write(socket, asio::buffer(response), asio::use_awaitable);
  socket.shutdown(asio::socket_base::shutdown_send);
}

/// Answer one HTTP request, which has two seconds to come and to be answered, and close.
inline asio::awaitable<void> check_health(std::shared_ptr<plain_stream> socket, std::function<health()> look) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(socket->get_executor(), std::chrono::seconds(2));
  co_await (answer_http(*socket, look) || timer.async_wait(asio::use_awaitable));
}

/// Answer HTTP requests for as long as the acceptor is open.
/**
 * Those who connect and do not ask take few descriptors: where there are so many, the one that has been there longest is
 * closed. Who asks is answered at once, hence not among them.
 */
inline asio::awaitable<void> answer_health(asio::io_context& context, any_acceptor& from, rarely& complaint,
                                           std::function<health()> look) {
  constexpr std::size_t most = 32;
  const auto open = std::make_shared<std::deque<std::shared_ptr<plain_stream>>>();
  const auto answer = [&](plain_stream accepted) -> asio::awaitable<void> {
    const auto socket = std::make_shared<plain_stream>(std::move(accepted));
    if (open->size() == most) {
      std::error_code ignored;
      open->front()->close(ignored);
      open->pop_front();
    }
    open->push_back(socket);
    asio::co_spawn(context, check_health(socket, look),
                   [open, socket](std::exception_ptr) { std::erase(*open, socket); });
    co_return;
  };
  co_await accept_all(from, context, complaint, answer);
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_HEALTH_HPP
