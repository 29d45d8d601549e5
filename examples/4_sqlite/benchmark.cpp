// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Inserts per second into one database by several callers, each with one insert at a time, in one of three ways.
// benchmark.py runs them all.
//
//   benchmark --contender batch --database bench.db

#include <asio.hpp>
#include <async_resource.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/command_line.hpp"
#include "sqlite.hpp"

namespace {

using clock_type = std::chrono::steady_clock;

constexpr auto create = "CREATE TABLE t (id INTEGER PRIMARY KEY, caller INTEGER, value TEXT)";
constexpr auto insert = "INSERT INTO t (caller, value) VALUES (?, ?)";
const std::string value(100, 'x');

struct settings {
  std::string contender = "batch";
  std::string file = "benchmark.db";
  std::size_t callers = 64;
  std::size_t operations = 20'000;

  std::size_t each() const { return operations / callers; }
};

// What is used by one thread at a time: a connection, and a statement.
struct table {
  explicit table(const std::string& file) : connection(file) {}

  void add(std::size_t caller) { statement.run(caller, value); }

  sqlite::connection connection;
  sqlite::statement statement{(connection.execute(create), connection), insert};
};

// Without these, each insert is a transaction of its own.
struct batched_table : table {
  using table::table;
};
void enter_batch(batched_table& t) {
  enter_batch(t.connection);
}
void leave_batch(batched_table& t) {
  leave_batch(t.connection);
}

// A coroutine for each caller.
template <class Table>
void run_coroutines(const settings& settings) {
  asio::thread_pool home(1);
  asio::io_context callers;
  const auto where = asyncres::make_async_resource<Table>(home, settings.file);
  std::exception_ptr failure;
  const auto call = [&](std::size_t caller) -> asio::awaitable<void> {
    for (std::size_t i = 0; i != settings.each(); ++i) {
      co_await where.async_invoke([caller](Table& t) { t.add(caller); });
    }
  };
  for (std::size_t i = 0; i != settings.callers; ++i) {
    asio::co_spawn(callers, call(i), [&](std::exception_ptr thrown) { failure = thrown ? thrown : failure; });
  }
  callers.run();
  if (failure) std::rethrow_exception(failure);
}

// Group commit by hand. Who comes first while no transaction is being made makes one, for all that wait by then.
class group_commit {
 public:
  explicit group_commit(const std::string& file) : table_(file) {}

  void add(std::size_t caller) {
    request mine{caller};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&mine);
    done_.wait(lock, [&] { return mine.done || !busy_; });
    if (!mine.done) {
      busy_ = true;
      const auto group = std::exchange(waiting_, {});
      lock.unlock();
      std::exception_ptr failure;
      try {
        commit(group);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      busy_ = false;
      for (request* const each : group) {
        each->done = true;
        if (failure) each->failure = failure;
      }
      done_.notify_all();
    }
    if (mine.failure) std::rethrow_exception(mine.failure);
  }

 private:
  struct request {
    std::size_t caller;
    bool done = false;
    std::exception_ptr failure = nullptr;
  };

  void commit(const std::vector<request*>& group) {
    enter_batch(table_.connection);
    for (request* const each : group) {
      try {
        table_.add(each->caller);
      } catch (...) {
        each->failure = std::current_exception();
      }
    }
    leave_batch(table_.connection);
  }

  std::mutex mutex_;
  std::condition_variable done_;
  std::vector<request*> waiting_;
  bool busy_ = false;
  table table_;
};

// A thread for each caller.
void run_threads(const settings& settings) {
  group_commit table(settings.file);
  std::vector<std::jthread> callers;
  for (std::size_t caller = 0; caller != settings.callers; ++caller) {
    callers.emplace_back([&, caller] {
      for (std::size_t i = 0; i != settings.each(); ++i) table.add(caller);
    });
  }
}

void run(const settings& settings) {
  for (const char* const suffix : {"", "-wal", "-shm"}) std::filesystem::remove(settings.file + suffix);
  const auto start = clock_type::now();
  if (settings.contender == "batch") run_coroutines<batched_table>(settings);
  if (settings.contender == "one") run_coroutines<table>(settings);
  if (settings.contender == "mutex") run_threads(settings);
  const std::chrono::duration<double> took = clock_type::now() - start;

  sqlite::connection connection(settings.file);
  sqlite::statement count(connection, "SELECT count(*) FROM t");
  auto counted = count();
  const auto expected = settings.each() * settings.callers;
  if (!counted.next() || counted.integer(0) != static_cast<std::int64_t>(expected)) {
    throw std::runtime_error("inserts are missing");
  }
  std::cout << static_cast<double>(expected) / took.count() << '\n';
}

}  // namespace

int main(int argc, char** argv) try {
  settings settings;
  const auto choose = [&](const char* name) {
    settings.contender = name;
    return settings.contender == "batch" || settings.contender == "one" || settings.contender == "mutex";
  };
  example::read_command_line(
      argc, argv, "Prints inserts per second.",
      {{"contender", "NAME", "batch, one (transaction per operation), or mutex (batch)", choose},
       example::text_option("database", "FILE", "which is deleted first (benchmark.db)", settings.file),
       example::number_option<std::size_t>("callers", "COUNT", "how many at once (64)", settings.callers, 1),
       example::number_option<std::size_t>("operations", "COUNT", "how many in all (20000)", settings.operations, 1)});
  run(settings);
} catch (const std::exception& error) {
  std::cerr << "benchmark: " << error.what() << '\n';
  return 1;
}
