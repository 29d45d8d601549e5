// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "slow_c.h"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>

// The C library of c_api.cpp: nothing to be learnt here.

namespace {

struct job {
  int result;
  void (*done)(int result, int error, void* context);
  void* context;
};

}  // namespace

struct slow_adder {
  ~slow_adder() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
    }
    changed.notify_one();
    worker.join();
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return closing || current; });
      if (!current) return;
      const job mine = *current;
      changed.wait_for(lock, std::chrono::milliseconds(mine.result), [this] { return cancelled; });
      const bool early = cancelled;
      cancelled = false;
      current.reset();
      lock.unlock();
      mine.done(early ? 0 : mine.result, early ? ECANCELED : 0, mine.context);
      lock.lock();
    }
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::optional<job> current;
  bool cancelled = false;
  bool closing = false;
  std::thread worker{[this] { work(); }};
};

slow_adder* slow_open() {
  try {
    return new slow_adder;
  } catch (...) {
    return nullptr;
  }
}

void slow_close(slow_adder* adder) {
  delete adder;
}

int slow_sum(slow_adder* adder, int a, int b, void (*done)(int result, int error, void* context), void* context) {
  {
    const std::lock_guard lock(adder->mutex);
    if (adder->current) return EBUSY;
    adder->current = job{a + b, done, context};
  }
  adder->changed.notify_one();
  return 0;
}

void slow_cancel(slow_adder* adder) {
  {
    const std::lock_guard lock(adder->mutex);
    adder->cancelled = adder->current.has_value();
  }
  adder->changed.notify_one();
}
