// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_SESSION_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_SESSION_HPP

#include <array>
#include <asio/buffer.hpp>
#include <asio/deferred.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "../../examples/support/connection.hpp"
#include "../../examples/support/stream.hpp"
#include "answers.hpp"
#include "async_resource/async_resource.hpp"
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
  bool at_home;  // a resource makes the replies
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
  const std::optional<session_end>& end() const { return end_; }

  example::awaitable<void> operator()(peer_type& peer) try {
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
  std::size_t answered_ = 0;
  bool finished_ = false;
  std::optional<session_end> end_;
};

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_SESSION_HPP
