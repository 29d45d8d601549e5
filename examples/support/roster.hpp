// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_ROSTER_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_ROSTER_HPP

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <system_error>
#include <utility>

#include "options.hpp"
#include "statistics.hpp"

namespace example {

/// What a connection waits for.
/**
 *     handshake --> idle <---------------------------- peer_to_read <--+
 *                    |                                      ^          |
 *                    | a byte        whole                  | replies  |
 *                    +------> rest_of_frame --> serving ----+          |
 *                    |                             |                   |
 *                    +--- whole -------------------+-- more are at hand
 *
 * From each to `goodbye`: the server has closed its side, and waits for the peer to do so. From each to the end, when
 * it took too long; only `serving`, where the server owes something, may take any time.
 *
 * A session that reads on while replies are owed is `serving`, whatever has been read of the next request meanwhile, or
 * waits for the `peer_to_read`. When it owes no more it is where the reading is, `idle` or in the `rest_of_frame`, and
 * the time for that begins.
 */
enum class phase { handshake, idle, rest_of_frame, serving, peer_to_read, goodbye };

/// A connection, to the one that looks after it. All of it belongs to the I/O thread.
class watched {
 public:
  using time = std::chrono::steady_clock::duration;

  virtual void cancel() noexcept = 0;  ///< what is pending on the socket completes
  virtual void close() noexcept = 0;
  virtual bool between_frames() noexcept = 0;

  phase waits_for() const noexcept { return phase_; }
  time since() const noexcept { return since_; }

  /// The phase that took too long.
  std::optional<phase> expired() const noexcept { return expired_; }

  void expire() noexcept {
    expired_ = phase_;
    close();
  }

 protected:
  ~watched() = default;

  void enter(phase next, time now) noexcept {
    phase_ = next;
    since_ = now;
  }

 private:
  friend class sweeper;

  phase phase_ = phase::handshake;
  time since_{0};
  std::optional<phase> expired_;
};

/// The connections of an I/O thread.
struct roster {
  std::list<watched*> connections;  ///< those that have been looked at last are behind
  watched::time now{0};             ///< advances tick by tick, hence stands still while the thread is held up
  bool draining = false;
  traffic totals;
  rarely complaints{10};  ///< of connections that failed: whoever makes them fail writes no more than that to the disk
};

/// Ends what takes too long, with one timer for all connections of an I/O thread and without a clock for each.
/**
 * A connection notes what it waits for, and since which tick; at each tick all are looked at. There are four ticks to
 * the shortest time-out, so that none comes early, and the shortest by less than half too late. A tick counts for no
 * more than its length: what the thread itself was late by, no peer has had.
 *
 * Thousands of connections are more than the processor's caches hold: to look at 5,000 TLS streams takes milliseconds,
 * and to end fifty of them at once does. So a tick looks at a few at a time, and what else the thread has to do is done
 * in between.
 *
 * While the thread drains it ticks every ten milliseconds, and ends each wait for a request: by then what had been
 * received has been found.
 */
class sweeper {
 public:
  sweeper(asio::io_context& context, roster& all, const timeouts& patience)
      : timer_(context), all_(all), patience_(patience) {
    tick();
  }

  /// Let each connection finish; when the last one has gone, call `drained`.
  void drain(std::function<void()> drained = {}) {
    drained_ = std::move(drained);
    all_.draining = true;
    tick();
  }

  /// What a tick does, when so much time has passed since the one before; all at once.
  void sweep(watched::time passed) {
    begin(passed);
    while (left_ != 0) look_at_some();
  }

 private:
  using clock = std::chrono::steady_clock;

  static constexpr std::size_t some = 8;
  static constexpr watched::time least = std::chrono::milliseconds(10);

  static watched::time tick_for(const timeouts& patience) {
    seconds shortest(4);
    for (const auto each : {patience.handshake, patience.idle, patience.read, patience.write, patience.linger}) {
      if (each > seconds(0)) shortest = std::min(shortest, each);
    }
    return std::max(std::chrono::duration_cast<watched::time>(shortest / 4), least);
  }

  // Setting the timer ends the wait before.
  void tick() {
    timer_.expires_after(all_.draining ? least : tick_);
    timer_.async_wait([this](std::error_code error) {
      if (error) return;
      const auto now = clock::now();
      begin(now - std::exchange(last_, now));
      go_on();
    });
  }

  void go_on() {
    look_at_some();
    if (left_ != 0) return asio::post(timer_.get_executor(), [this] { go_on(); });
    if (!all_.draining || !all_.connections.empty()) return tick();
    if (drained_) drained_();
  }

  void begin(watched::time passed) {
    all_.now += std::min(passed, tick_);
    left_ = all_.connections.size();
  }

  // Where one has ended meanwhile, another is looked at twice.
  void look_at_some() {
    auto& connections = all_.connections;
    left_ = std::min(left_, connections.size());
    for (std::size_t i = std::min(left_, some); i != 0; --i, --left_) {
      auto* const next = connections.front();
      connections.splice(connections.end(), connections, connections.begin());
      look_at(*next);
    }
  }

  void look_at(watched& connection) {
    if (connection.phase_ == phase::idle) {
      if (!connection.between_frames())
        connection.enter(phase::rest_of_frame, all_.now);
      else if (all_.draining)
        connection.cancel();
    }
    const auto limit = patience(connection.phase_);
    if (limit > seconds(0) && all_.now - connection.since_ >= limit + tick_) connection.expire();
  }

  seconds patience(phase waits_for) const noexcept {
    switch (waits_for) {
      case phase::handshake: return patience_.handshake;
      case phase::idle: return patience_.idle;
      case phase::rest_of_frame: return patience_.read;
      case phase::peer_to_read: return patience_.write;
      case phase::goodbye: return patience_.linger;
      case phase::serving: break;
    }
    return seconds(0);
  }

  asio::steady_timer timer_;
  roster& all_;
  timeouts patience_;
  const watched::time tick_ = tick_for(patience_);
  clock::time_point last_ = clock::now();
  std::size_t left_ = 0;  // to be looked at in this tick
  std::function<void()> drained_;
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_ROSTER_HPP
