// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_TOPOLOGY_HPP
#define ASYNC_RESOURCE_BENCHMARKS_TOPOLOGY_HPP

#include <pthread.h>
#include <sched.h>

#include <asio/any_io_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

namespace benchmarks {

// Who lives where.
struct topology {
  std::string_view name;
  bool own_thread;   // The resource is on an io_context of its own, with a thread of its own.
  int threads;       // that run the callers
  bool pin = false;  // each thread to a processor
};

inline constexpr topology topologies[] = {
    {"own_thread", true, 1},
    {"one_context_1", false, 1},
    {"one_context_2", false, 2},
};

// Two threads that ping and pong are several times faster on one processor than on two, and the system moves them as it
// likes: pinned, they are always on two. Takes the nth of those that this program may use, from the first again after
// the last.
inline void pin_this_thread(int nth) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  nth %= CPU_COUNT(&allowed);
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &allowed) || nth-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
    return;
  }
}

// The contexts of a topology, and the threads that run them.
class contexts {
 public:
  explicit contexts(const topology& which) : topology_(which) {}

  asio::any_io_executor home() { return (topology_.own_thread ? home_ : callers_).get_executor(); }
  asio::any_io_executor callers() { return callers_.get_executor(); }

  // Runs all until the callers, and then home, have nothing left to do.
  void run() {
    std::jthread home_thread;
    auto home_work = asio::make_work_guard(home_);
    if (topology_.own_thread) home_thread = std::jthread([this] { run(home_, topology_.threads); });
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < topology_.threads; ++i) threads.emplace_back([this, i] { run(callers_, i); });
    }
    home_work.reset();
  }

 private:
  void run(asio::io_context& context, int nth) {
    if (topology_.pin) pin_this_thread(nth);
    context.run();
  }

  const topology topology_;
  asio::io_context home_;
  asio::io_context callers_;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_TOPOLOGY_HPP
