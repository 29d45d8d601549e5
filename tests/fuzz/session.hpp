// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_SESSION_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_SESSION_HPP

#include <array>
#include <asio/bind_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/deferred.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <exception>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "../../examples/support/connection.hpp"
#include "../../examples/support/in_order.hpp"
#include "../../examples/support/stream.hpp"
#include "answers.hpp"
#include "async_resource/async_resource.hpp"
#include "later.hpp"
#include "naive_decoder.hpp"
#include "wire.hpp"

namespace fuzzing {

/// Takes the place of a handshake of TLS, found by argument-dependent lookup.
inline example::awaitable<void> shake_hands(wire& stream) {
  std::array<std::byte, 1> hello;
  co_await stream.async_read_some(asio::buffer(hello), asio::deferred);
}

enum class stop { finish, throw_exception, throw_number, throw_error };

struct session_settings {
  std::size_t repeats;  // in a reply
  std::size_t stop_at;  // so many requests are answered
  stop how;
  bool at_home;   // a resource makes the replies
  bool reads_on;  // and more is read meanwhile
};

struct session_end {
  bool threw;
  std::error_code error;  // if that is what it threw
  bool in_time;           // the connection was still open
};

/// Answers requests, up to a number.
class session {
 public:
  using peer_type = example::connection<wire>;
  using executor_type = asio::io_context::executor_type;

  session(const executor_type& home, const session_settings& chosen)
      : chosen_(chosen), at_home_(home, chosen.repeats), here_(chosen.repeats) {}

  /// What it throws where it stops, if that is an error code.
  static std::error_code error_of(stop how) {
    return how == stop::throw_error ? std::make_error_code(std::errc::io_error) : std::error_code();
  }

  std::size_t taken() const { return taken_; }

  /// Grows from one wait for the peer to the next.
  std::size_t progress() const { return chosen_.reads_on ? waited_for_ : taken_; }

  /// Whether it reads on beside replies that are still to come.
  bool owes() const { return chosen_.reads_on && !end_ && answered_ != taken_; }

  /// Whether there are replies that it has not given, though some may be there.
  bool has_due() const { return owes() || (chosen_.reads_on && waited_for_ != taken_); }

  const std::optional<session_end>& end() const { return end_; }

  example::awaitable<void> operator()(peer_type& peer) try {
    if (chosen_.reads_on) co_await answer_later(peer);
    while (!finished_) {
      const auto requests = co_await peer.read();
      taken_ += requests.size();
      auto answer_all = [&](answerer& it) {
        for (const bytes request : requests) answer(peer, it, request);
      };
      if (chosen_.at_home) {
        co_await at_home_.async_invoke(std::move(answer_all));
        co_await peer.flush();
      } else {
        answer_all(here_);
      }
    }
    end(peer, false, {});
  } catch (const std::system_error& thrown) {
    end(peer, true, thrown.code());
    throw;
  } catch (...) {
    end(peer, true, {});
    throw;
  }

 private:
  void answer(peer_type& peer, answerer& it, bytes request) {
    if (answered_ == chosen_.stop_at) return stop_now();
    peer.reply(it.answer(request));
    ++answered_;
  }

  // Until something is thrown.
  example::awaitable<void> answer_later(peer_type& peer) {
    const auto requests = co_await peer.read();
    taken_ += requests.size();
    bool counted = requests.size() > 1;  // those behind the first
    auto start = [&](auto next, auto last, std::vector<later>& started) -> example::awaitable<void> {
      if (!std::exchange(counted, false)) taken_ += static_cast<std::size_t>(std::distance(next, last));
      for (; next != last; ++next) started.push_back(begin(peer, *next));
      co_return;
    };
    auto first = begin(peer, *requests.begin());
    const auto next = std::next(requests.begin());
    co_await example::in_order<later, peer_type, decltype(start)>(peer, start)
        .run(std::move(first), next, requests.end());
  }

  later begin(peer_type& peer, bytes request) {
    if (begun_ == chosen_.stop_at) throw_now();
    ++begun_;
    const auto here = peer.stream().get_executor();
    later result(waited_for_);
    auto answer = [owned = reply(request.begin(), request.end())](answerer& it) { return it.answer(owned); };
    auto give = [this, result](std::exception_ptr error, reply value) mutable {
      ++answered_;
      result.give(std::move(error), std::move(value));
    };
    at_home_.async_invoke(std::move(answer), asio::bind_executor(here, std::move(give)));
    return result;
  }

  void throw_now() {
    if (chosen_.how == stop::finish) throw std::runtime_error("it never finishes");
    stop_now();
  }

  void stop_now() {
    switch (chosen_.how) {
      case stop::finish: finished_ = true; return;
      case stop::throw_exception: throw std::runtime_error("an exception");
      case stop::throw_number: throw 1;
      case stop::throw_error: throw std::system_error(error_of(chosen_.how));
    }
  }

  void end(peer_type& peer, bool threw, std::error_code error) { end_ = {threw, error, !peer.stream().closed()}; }

  const session_settings chosen_;
  asyncres::async_resource<executor_type, answerer> at_home_;
  answerer here_;
  std::size_t taken_ = 0;
  std::size_t begun_ = 0;
  std::size_t waited_for_ = 0;
  std::size_t answered_ = 0;
  bool finished_ = false;
  std::optional<session_end> end_;
};

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_SESSION_HPP
