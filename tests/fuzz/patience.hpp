// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_PATIENCE_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_PATIENCE_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "../../examples/support/options.hpp"
#include "../../examples/support/roster.hpp"
#include "script.hpp"

namespace fuzzing {

/// When a connection is to be closed for taking too long: not before the time-out, nor more than two ticks behind it.
class patience {
 public:
  using time = example::watched::time;
  using phase = example::phase;

  explicit patience(const example::timeouts& all) : all_(all) {}

  /// What the connection waits for. The number tells two waits for the same apart.
  void note(phase what, std::size_t number) {
    const auto next = std::pair(what, number);
    if (next == wait_) return;
    wait_ = next;
    since_ = now_;
  }

  phase waits_for() const { return wait_.first; }
  bool is_limited() const { return limit() != time(0); }

  void pass(time passed, bool closed) {
    now_ += std::min(passed, tick_);
    const auto waited = now_ - since_;
    if (closed)
      check(is_limited() && waited >= limit() + tick_, "no time-out comes early");
    else
      check(!is_limited() || waited < limit() + 2 * tick_, "no time-out comes late");
  }

 private:
  time limit() const {
    switch (wait_.first) {
      case phase::handshake: return in_full(all_.handshake);
      case phase::idle: return in_full(all_.idle);
      case phase::rest_of_frame: return in_full(all_.read);
      case phase::peer_to_read: return in_full(all_.write);
      case phase::goodbye: return in_full(all_.linger);
      case phase::serving: break;
    }
    return time(0);
  }

  // There are four to the shortest time-out, and at least one a second.
  static time tick_for(const example::timeouts& all) {
    example::seconds shortest(4);
    for (const auto each : {all.handshake, all.idle, all.read, all.write, all.linger})
      if (each != example::seconds(0)) shortest = std::min(shortest, each);
    return in_full(shortest / 4);
  }

  static time in_full(example::seconds all) { return std::chrono::duration_cast<time>(all); }

  const example::timeouts all_;
  const time tick_ = tick_for(all_);
  std::pair<phase, std::size_t> wait_{phase::handshake, 0};
  time now_{0};
  time since_{0};
};

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_PATIENCE_HPP
