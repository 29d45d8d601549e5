// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "../../examples/4_sqlite/sqlite.hpp"

#include <async_resource.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <unistd.h>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

// What examples/4_sqlite/sqlite.hpp says of batches, savepoints, leases and interrupts.

using asyncres::block;

namespace {

using database = asyncres::async_resource<asio::io_context::executor_type, sqlite::connection>;

// A database with one table, whose home runs when the test says so: what is submitted until then is one batch.
struct stage {
  stage() {
    where.async_invoke([](sqlite::connection& c) { c.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)"); },
                       asio::detached);
    run();
  }
  stage(const stage&) = delete;
  ~stage() {
    for (const char* const suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file + suffix);
  }

  void run() {
    home.restart();
    home.poll();  // A lease that is held keeps it at work.
  }

  // The code of what it failed with, 0 if it did not, -1 before.
  template <class Function>
  std::size_t invoke(Function function) {
    codes.push_back(-1);
    const auto index = codes.size() - 1;
    where.async_invoke(std::move(function), [this, index](std::exception_ptr e) { codes[index] = code(e); });
    return index;
  }

  static int code(std::exception_ptr e) try {
    if (e) std::rethrow_exception(e);
    return 0;
  } catch (const sqlite::error& failure) {
    return failure.code().value();
  } catch (const std::exception&) {
    return -2;
  }

  // As another connection sees it.
  std::vector<std::int64_t> numbers() const {
    sqlite::connection other(file);
    sqlite::statement all(other, "SELECT n FROM t ORDER BY n");
    std::vector<std::int64_t> found;
    for (auto rows = all(); rows.next();) found.push_back(rows.integer(0));
    return found;
  }

  inline static int count = 0;
  std::string file = std::filesystem::temp_directory_path() /
                     ("sqlite-test-" + std::to_string(::getpid()) + '-' + std::to_string(++count) + ".db");
  asio::io_context home;
  database where{home, file};
  std::vector<int> codes;
};

auto insert(int n) {
  return [n](sqlite::connection& c) { sqlite::statement(c, "INSERT INTO t VALUES (?, NULL)").run(n); };
}

using numbers = std::vector<std::int64_t>;
using codes = std::vector<int>;

}  // namespace

TEST_CASE("a visit to a connection is one transaction", "[examples][sqlite]") {
  stage s;
  s.invoke(insert(1));
  s.invoke([&](sqlite::connection& c) {
    CHECK(c.in_transaction());
    CHECK(s.numbers().empty());
    CHECK(s.codes.front() == -1);
  });
  s.invoke(insert(2));
  s.run();
  CHECK(s.codes == codes{0, 0, 0});
  CHECK(s.numbers() == numbers{1, 2});
}

TEST_CASE("a statement that fails undoes nothing of its batch", "[examples][sqlite]") {
  stage s;
  s.invoke(insert(1));
  s.invoke(insert(1));
  s.invoke(insert(2));
  s.run();
  CHECK(s.codes == codes{0, SQLITE_CONSTRAINT_PRIMARYKEY, 0});
  CHECK(s.numbers() == numbers{1, 2});
}

TEST_CASE("a savepoint that is not committed undoes its own changes and no others", "[examples][sqlite]") {
  stage s;
  const bool in_lease = GENERATE(false, true);
  const auto pair = [](int a, int b) {
    return [=](sqlite::connection& c) {
      sqlite::savepoint both(c);
      insert(a)(c);
      insert(b)(c);
      both.commit();
    };
  };
  if (in_lease) {
    auto lease = s.where.async_lease(asio::use_future);
    s.run();
    const auto held = lease.get();
    for (const auto& [a, b] : {std::pair(1, 2), std::pair(3, 1), std::pair(4, 5)})
      held.async_invoke(pair(a, b), [&](std::exception_ptr e) { s.codes.push_back(stage::code(e)); });
    s.run();
  } else {
    s.invoke(pair(1, 2));
    s.invoke(pair(3, 1));
    s.invoke(pair(4, 5));
    s.run();
  }
  CHECK(s.codes == codes{0, SQLITE_CONSTRAINT_PRIMARYKEY, 0});
  CHECK(s.numbers() == numbers{1, 2, 4, 5});
}

TEST_CASE("a commit that fails is the failure of all, and leaves nothing", "[examples][sqlite]") {
  stage s;
  // Checked when the transaction is committed.
  const auto refer = [](sqlite::connection& c) { c.execute("INSERT INTO child VALUES (99)"); };
  s.where.async_invoke(
      [](sqlite::connection& c) { c.execute("CREATE TABLE child (n REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)"); },
      asio::detached);
  s.run();
  auto lease = s.where.async_lease(asio::use_future);  // PRAGMA foreign_keys does nothing in a transaction.
  s.run();
  lease.get().async_invoke([](sqlite::connection& c) { c.execute("PRAGMA foreign_keys = ON"); }, asio::detached);
  s.run();
  s.invoke(insert(1));
  s.invoke(refer);
  s.invoke(insert(2));
  s.run();
  CHECK(s.codes == codes(3, SQLITE_CONSTRAINT_FOREIGNKEY));
  CHECK(s.numbers().empty());
  s.invoke(insert(3));
  s.run();
  CHECK(s.codes.back() == 0);
  CHECK(s.numbers() == numbers{3});
}

TEST_CASE("a batch that SQLite rolls back fails as a whole, and changes nothing", "[examples][sqlite]") {
  stage s;
  const bool full = GENERATE(false, true);
  const auto lose = [&](sqlite::connection& c) {
    if (full) {
      c.execute("PRAGMA max_page_count = 20");
      c.execute("INSERT INTO t VALUES (7, zeroblob(1000000))");
    } else {
      c.execute("ROLLBACK");
    }
  };
  s.invoke(insert(1));
  s.invoke(lose);
  s.invoke(insert(2));
  s.invoke([](sqlite::connection& c) {
    sqlite::savepoint all(c);
    all.commit();
  });
  s.run();
  CHECK(s.codes == codes{SQLITE_ABORT_ROLLBACK, full ? SQLITE_FULL : SQLITE_ABORT_ROLLBACK, SQLITE_ABORT_ROLLBACK,
                         SQLITE_ABORT_ROLLBACK});
  CHECK(s.numbers().empty());
  s.invoke(insert(3));
  s.run();
  CHECK(s.codes.back() == 0);
  CHECK(s.numbers() == numbers{3});
}

TEST_CASE("an interrupted query harms nobody, an interrupted write takes its batch with it", "[examples][sqlite]") {
  stage s;
  const bool writes = GENERATE(false, true);
  std::promise<void> began;
  // SQLite calls this from within the statement.
  const auto announce = [](sqlite3_context* context, int, sqlite3_value**) {
    if (auto* const promise = static_cast<std::promise<void>*>(sqlite3_user_data(context))) promise->set_value();
    sqlite3_result_int(context, 1);
  };
  s.invoke([&](sqlite::connection& c) {
    sqlite3_create_function(c.native_handle(), "announce", 0, SQLITE_UTF8, &began, announce, nullptr, nullptr);
  });
  s.run();
  s.codes.clear();

  asio::cancellation_signal signal;
  s.invoke(insert(1));
  s.codes.push_back(-1);
  s.where.async_invoke(
      [&](sqlite::connection& c) {
        const std::string endless = "WITH RECURSIVE n(i) AS (SELECT announce() UNION ALL SELECT i + 1 FROM n) ";
        c.execute((endless + (writes ? "INSERT INTO t SELECT i + 1000, NULL FROM n" : "SELECT max(i) FROM n")).c_str());
      },
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { s.codes[1] = stage::code(e); }));
  s.invoke(insert(2));
  {
    const auto canceller = std::async(std::launch::async, [&] {
      began.get_future().wait();
      signal.emit(asio::cancellation_type::total);
    });
    s.run();
  }
  if (writes) {
    CHECK(s.codes == codes{SQLITE_ABORT_ROLLBACK, SQLITE_INTERRUPT, SQLITE_ABORT_ROLLBACK});
    CHECK(s.numbers().empty());
  } else {
    CHECK(s.codes == codes{0, SQLITE_INTERRUPT, 0});
    CHECK(s.numbers() == numbers{1, 2});
  }
}

TEST_CASE("a lease that ends without commit() undoes its transaction", "[examples][sqlite]") {
  stage s;
  const bool commits = GENERATE(false, true);
  auto lease = s.where.async_lease(asio::use_future);
  s.run();
  {
    auto held = lease.get();
    held.async_invoke([](sqlite::connection& c) { c.execute("BEGIN IMMEDIATE"); }, asio::detached);
    held.async_invoke(insert(1), asio::detached);
    s.run();
    if (commits) {
      held.async_invoke([](sqlite::connection& c) { c.execute("COMMIT"); }, asio::detached);
      held.commit();
    }
  }
  s.invoke(insert(2));
  s.run();
  CHECK(s.codes == codes{0});
  CHECK(s.numbers() == (commits ? numbers{1, 2} : numbers{2}));
}

TEST_CASE("a transaction that a committed lease left open is rolled back before the next batch", "[examples][sqlite]") {
  stage s;
  auto lease = s.where.async_lease(asio::use_future);
  s.run();
  {
    auto held = lease.get();
    held.async_invoke([](sqlite::connection& c) { c.execute("BEGIN IMMEDIATE"); }, asio::detached);
    held.async_invoke(insert(1), asio::detached);
    held.commit();
  }
  s.invoke(insert(2));
  s.run();
  CHECK(s.codes == codes{0});
  CHECK(s.numbers() == numbers{2});
}

TEST_CASE("what cannot be a database in WAL mode is an error", "[examples][sqlite]") {
  CHECK_THROWS_AS(sqlite::connection(":memory:"), sqlite::error);
  CHECK_THROWS_AS(sqlite::connection(std::filesystem::temp_directory_path() / "no" / "such" / "directory"),
                  sqlite::error);
}
