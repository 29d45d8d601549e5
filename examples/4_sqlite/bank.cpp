// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// SQLite from coroutines: statements that are prepared once, a transaction across several co_awaits that is committed
// or rolled back as a whole, and a query that is interrupted. No thread waits for the disk but the connection's own.
//
//   bank

#include <unistd.h>

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <async_resource.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sqlite.hpp"

namespace {

using bank = asyncres::async_resource<asio::thread_pool::executor_type, sqlite::connection>;

// A file in the directory for temporary ones, gone with this object.
struct temporary_file {
  std::string name = std::filesystem::temp_directory_path() / ("bank-" + std::to_string(::getpid()) + ".db");
  ~temporary_file() {
    for (const char* const suffix : {"", "-wal", "-shm"}) std::filesystem::remove(name + suffix);
  }
};

//! [statements]
struct statements {
  explicit statements(sqlite::connection& c)
      : add(c, "UPDATE account SET balance = balance + ?2 WHERE name = ?1"),
        show(c, "SELECT balance FROM account WHERE name = ?"),
        never_ends(c, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n") {}

  sqlite::statement add, show, never_ends;
};
//! [statements]

//! [transfer]
asio::awaitable<void> transfer(const bank& where, statements& s, std::string_view from, std::string_view to,
                               std::int64_t amount) {
  // Nobody else uses the connection until the lease ends. Unless it is committed, that rolls back what is open.
  auto lease = co_await where.async_lease();
  co_await lease.async_invoke([](sqlite::connection& c) { c.execute("BEGIN IMMEDIATE"); });
  co_await lease.async_invoke([&](sqlite::connection&) { s.add.run(to, amount); });
  co_await lease.async_invoke([&](sqlite::connection&) { s.add.run(from, -amount); });
  co_await lease.async_invoke([](sqlite::connection& c) { c.execute("COMMIT"); });
  lease.commit();
}
//! [transfer]

asio::awaitable<void> show(const bank& where, statements& s) {
  for (const std::string_view name : {"ann", "bob"}) {
    const auto balance = co_await where.async_invoke([&](sqlite::connection&) {
      auto account = s.show(name);
      if (!account.next()) throw std::runtime_error("no such account");
      return account.integer(0);
    });
    std::cout << "  " << name << " has " << balance << '\n';
  }
}

asio::awaitable<void> after(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> tour(bank where) {
  using namespace asio::experimental::awaitable_operators;

  co_await where.async_invoke([](sqlite::connection& c) {
    c.execute(
        "CREATE TABLE account (name TEXT PRIMARY KEY, balance INTEGER CHECK (balance >= 0));"
        "INSERT INTO account VALUES ('ann', 100), ('bob', 100);");
  });
  // Made at home, and destroyed there, wherever the pointer is dropped.
  const auto prepared =
      co_await where.async_invoke([&](sqlite::connection& c) { return asyncres::make_home_ptr<statements>(where, c); });

  co_await transfer(where, *prepared, "ann", "bob", 30);
  std::cout << "ann gave bob 30\n";
  co_await show(where, *prepared);

  try {
    co_await transfer(where, *prepared, "ann", "bob", 500);
  } catch (const sqlite::error& refused) {
    std::cout << "ann cannot give bob 500: " << refused.what() << '\n';
  }
  co_await show(where, *prepared);

  // `||` cancels the one that is later, and that interrupts the query.
  const auto count = [&](sqlite::connection&) { prepared->never_ends.run(); };
  const auto first = co_await (where.async_invoke(count, asio::use_awaitable) || after(std::chrono::milliseconds(100)));
  std::cout << (first.index() == 1 ? "a query took too long and was interrupted\n" : "?\n");
  co_await show(where, *prepared);
}

}  // namespace

int main() try {
  const temporary_file file;
  asio::thread_pool home(1);  // the one thread that waits for the disk
  asio::io_context io;
  std::exception_ptr failure;
  asio::co_spawn(io, tour(bank(home, file.name)), [&](std::exception_ptr thrown) { failure = thrown; });
  io.run();
  home.join();
  if (failure) std::rethrow_exception(failure);
} catch (const std::exception& error) {
  std::cerr << "bank: " << error.what() << '\n';
  return 1;
}
