// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_IN_ORDER_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_IN_ORDER_HPP

#include <asio/as_tuple.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/co_spawn.hpp>
#include <asio/deferred.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/experimental/channel.hpp>
#include <cstddef>
#include <exception>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "stream.hpp"

namespace example {

/// Answers the requests of a connection in their order, and reads more while replies are waited for.
/**
 *     requests --ask()--> due: what has been started, in order --give()--> replies
 *
 * What ends the reading takes the same way, hence comes behind the replies to what was there before. What fails on the
 * way out ends the reading, and what is due then is dropped. So it is when the reading finds that the peer has reset
 * the connection.
 *
 * With as many due as a connection may have in flight, one more read's worth is started at most, and nothing is read
 * until those have their place.
 *
 * `Pending` is a reply to come: made by default, it is an empty one; `ended()` says whether there is nothing to wait
 * for; `async_get(token)` of an rvalue waits, and can be cancelled. What `start(begin, end, started)` returns is
 * awaited, and appends one for each request between the iterators, which stay valid until then; those before it throws
 * are still answered. So the connection has to outlive what has been started: where that runs elsewhere, it is waited
 * for before the I/O context goes.
 */
template <class Pending, class Peer, class Start>
class in_order {
 public:
  in_order(Peer& peer, Start& start)
      : peer_(peer), start_(start), due_(peer.stream().get_executor(), peer.in_flight() - 1) {}

  /// Go on with one that has been started already, and the requests behind it. Ends by throwing what ends the connection.
  template <std::forward_iterator Iterator>
  awaitable<void> run(Pending first, Iterator second, Iterator last) {
    asio::co_spawn(due_.get_executor(), ask(std::move(first), second, last),
                   [this](std::exception_ptr reason) { end(std::move(reason)); });
    std::exception_ptr failure;
    try {
      co_await give();
    } catch (...) {
      failure = std::current_exception();
    }
    give_up_.slot().clear();
    if (!ended_) peer_.stop_reading();
    while (!ended_) co_await due_.async_receive(asio::as_tuple(asio::deferred));
    const bool cancelled = !failure || code_of(failure) == asio::error::operation_aborted;
    std::rethrow_exception(reset_ && cancelled ? reset_ : failure);
  }

 private:
  template <class Iterator>
  awaitable<void> ask(Pending first, Iterator second, Iterator last) {
    peer_.owe(1);
    co_await due_.async_send(nullptr, std::move(first), asio::deferred);
    if (second != last) co_await start(second, last);
    for (;;) {
      const auto requests = co_await peer_.read_on();
      co_await start(requests.begin(), requests.end());
    }
  }

  template <class Iterator>
  awaitable<void> start(Iterator begin, Iterator end) {
    std::vector<Pending> started;
    std::exception_ptr failure;
    peer_.owe(static_cast<std::size_t>(std::distance(begin, end)));
    try {
      co_await start_(begin, end, started);
    } catch (...) {
      failure = std::current_exception();
    }
    for (auto& each : started)
      if (!due_.try_send(nullptr, std::move(each))) co_await due_.async_send(nullptr, std::move(each), asio::deferred);
    if (failure) std::rethrow_exception(failure);
  }

  // Of the reading.
  void end(std::exception_ptr reason) {
    ended_ = true;
    if (code_of(reason) == asio::error::connection_reset) reset_ = reason;
    due_.async_send(std::move(reason), Pending(), asio::detached);
    if (reset_) give_up_.emit(asio::cancellation_type::terminal);
  }

  awaitable<void> give() {
    for (;;) {
      if (!due_.ready() && !peer_.send()) co_await peer_.flush();
      auto next = co_await due_.async_receive(asio::deferred);
      if (!next.ended() && !peer_.send()) co_await peer_.flush();
      if (reset_) co_return;
      peer_.reply(co_await std::move(next).async_get(asio::bind_cancellation_slot(give_up_.slot(), use_awaitable)));
      give_up_.slot().clear();
      peer_.paid();
      if (peer_.full()) co_await peer_.flush();
    }
  }

  static std::error_code code_of(const std::exception_ptr& failure) try {
    std::rethrow_exception(failure);
  } catch (const std::system_error& error) {
    return error.code();
  } catch (...) {
    return {};
  }

  Peer& peer_;
  Start& start_;
  asio::experimental::channel<io_executor, void(std::exception_ptr, Pending)> due_;
  bool ended_ = false;                 // the reading
  std::exception_ptr reset_;           // if that is why
  asio::cancellation_signal give_up_;  // the reply that is waited for: its slot is cleared when that is over
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_IN_ORDER_HPP
