// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_4_SQLITE_SQLITE_HPP
#define ASYNC_RESOURCE_EXAMPLES_4_SQLITE_SQLITE_HPP

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// An SQLite connection as a resource: opened without SQLite's own lock, since async_resource lets one thread at a time
// use it, and with the functions that the library looks for beside a resource: interrupt, enter_batch, leave_batch and
// rollback.

namespace sqlite {

/// SQLite's result codes.
inline const std::error_category& category() noexcept {
  static const class : public std::error_category {
    const char* name() const noexcept override { return "sqlite"; }
    std::string message(int code) const override { return sqlite3_errstr(code); }
  } instance;
  return instance;
}

/// What SQLite reports: its message, and its extended result code.
class error : public std::system_error {
 public:
  error(int code, const std::string& message) : std::system_error(code, category(), message) {}
};

/// What survives a loss of power. All that was committed survives the end of the process.
enum class synchronous {
  off,     ///< the file may be damaged
  normal,  ///< the file is sound, the last transactions may be missing
  full,    ///< every transaction that was committed is there
};

/// A connection to a database file, in WAL mode.
/**
 * The operations that run in one visit to its home are one transaction, and complete when it has been committed. What
 * that asks of their functions:
 *
 * @li One statement is done or not; that it failed undoes nothing of the others. A function that makes several changes
 *     which belong together makes them under a `savepoint`.
 * @li Some failures (a full disk, an I/O error, a write that was interrupted) have SQLite roll the whole transaction
 *     back. Then all operations of the visit fail, and change nothing.
 *
 * A lease's functions are in no batch. A transaction across several of them begins with execute("BEGIN IMMEDIATE"),
 * ends with execute("COMMIT"), and is rolled back if the lease ends before.
 */
class connection {
 public:
  /// Opens the file, or creates it. Throws `error`.
  explicit connection(const std::string& file, synchronous level = synchronous::full) {
    sqlite3* db = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int result = sqlite3_open_v2(file.c_str(), &db, flags, nullptr);
    db_.reset(db);
    if (result != SQLITE_OK) throw error(result, file);
    sqlite3_busy_timeout(db, 5000);  // for other processes
    set("journal_mode", "wal", "wal");
    const std::string code = std::to_string(static_cast<int>(level));
    set("synchronous", code, code);
    begin_ = prepare("BEGIN IMMEDIATE");
    commit_ = prepare("COMMIT");
  }

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// Run statements that give no rows.
  void execute(const char* sql) {
    refuse_if_lost();
    check(sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr));
  }

  /// Whether a transaction is open, a batch's included.
  bool in_transaction() const noexcept { return sqlite3_get_autocommit(db_.get()) == 0; }

  sqlite3* native_handle() const noexcept { return db_.get(); }

  /// Cancels the statement that runs.
  friend void interrupt(connection& c) noexcept { sqlite3_interrupt(c.db_.get()); }

  /// Begins a transaction for the functions of a visit.
  friend void enter_batch(connection& c) {
    rollback(c);  // what a lease left open that ended by commit()
    c.step_to_end(c.begin_);
    c.in_batch_ = true;
  }

  /// Commits it. What this throws is the failure of every operation of the visit.
  friend void leave_batch(connection& c) {
    const bool lost = c.lost();
    c.in_batch_ = false;
    if (lost) throw_lost();
    try {
      c.step_to_end(c.commit_);
    } catch (...) {
      rollback(c);
      throw;
    }
  }

  /// Ends what a lease that was not committed leaves open.
  friend void rollback(connection& c) noexcept {
    if (c.in_transaction()) sqlite3_exec(c.db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }

 private:
  friend class statement;
  friend class rows;

  struct close {
    // Closes it when the last of its statements has gone, should one be destroyed later.
    void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
    void operator()(sqlite3_stmt* prepared) const noexcept { sqlite3_finalize(prepared); }
  };
  using prepared = std::unique_ptr<sqlite3_stmt, close>;

  int check(int result) const {
    if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE)
      throw error(result, sqlite3_errmsg(db_.get()));
    return result;
  }

  prepared prepare(std::string_view sql) const {
    sqlite3_stmt* made = nullptr;
    check(sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &made,
                             nullptr));
    return prepared(made);
  }

  void step_to_end(const prepared& statement) const {
    sqlite3_step(statement.get());
    check(sqlite3_reset(statement.get()));
  }

  void set(const std::string& pragma, const std::string& value, std::string_view expected) const {
    check(sqlite3_exec(db_.get(), ("PRAGMA " + pragma + '=' + value).c_str(), nullptr, nullptr, nullptr));
    const auto query = prepare("PRAGMA " + pragma);
    check(sqlite3_step(query.get()));
    const auto* const actual = reinterpret_cast<const char*>(sqlite3_column_text(query.get(), 0));
    if (!actual || actual != expected) throw error(SQLITE_ERROR, "the database refuses " + pragma + '=' + value);
  }

  // In a batch that SQLite has rolled back, each statement would be a transaction of its own.
  bool lost() const noexcept { return in_batch_ && !in_transaction(); }
  [[noreturn]] static void throw_lost() { throw error(SQLITE_ABORT_ROLLBACK, "the batch was rolled back"); }
  void refuse_if_lost() const {
    if (lost()) throw_lost();
  }

  std::unique_ptr<sqlite3, close> db_;
  prepared begin_, commit_;
  bool in_batch_ = false;
};

/// Changes that belong together: undone, unless commit() has been called, when this goes.
/**
 * In a batch or another transaction it is a part of that; elsewhere it is a transaction.
 */
class savepoint {
 public:
  explicit savepoint(connection& where) : connection_(where) { connection_.execute("SAVEPOINT together"); }
  savepoint(const savepoint&) = delete;
  savepoint& operator=(const savepoint&) = delete;
  ~savepoint() {
    if (open_ && connection_.in_transaction())
      sqlite3_exec(connection_.native_handle(), "ROLLBACK TO together; RELEASE together", nullptr, nullptr, nullptr);
  }

  void commit() {
    connection_.execute("RELEASE together");
    open_ = false;
  }

 private:
  connection& connection_;
  bool open_ = true;
};

/// Bytes, to be bound as a blob and not as text.
struct blob {
  std::string_view bytes;
};

/// The rows that a statement gives, one after the other. The statement can be run again when this has gone.
class rows {
 public:
  /// Go to the next row, at first to the first one; false if there is none.
  bool next() {
    connection_.refuse_if_lost();
    return connection_.check(sqlite3_step(statement_.get())) == SQLITE_ROW;
  }

  std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(statement_.get(), column); }

  /// Text or a blob; valid until the next row.
  std::string_view bytes(int column) const noexcept {
    const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
  }

 private:
  friend class statement;

  struct reset {
    void operator()(sqlite3_stmt* prepared) const noexcept {
      sqlite3_reset(prepared);
      sqlite3_clear_bindings(prepared);
    }
  };

  rows(connection& where, sqlite3_stmt* statement) noexcept : connection_(where), statement_(statement) {}

  connection& connection_;
  std::unique_ptr<sqlite3_stmt, reset> statement_;
};

/// A statement, prepared once. To be used and destroyed where its connection is used: keep it as a home_ptr.
class statement {
 public:
  statement(connection& where, std::string_view sql) : connection_(where), prepared_(where.prepare(sql)) {}

  /// Begin to run it, with these values for its parameters: integers, strings and blobs, which must outlive the rows.
  template <class... Values>
  [[nodiscard]] rows operator()(const Values&... values) {
    rows result(connection_, prepared_.get());
    int index = 0;
    (connection_.check(bind(++index, values)), ...);
    return result;
  }

  /// Run it to its end.
  template <class... Values>
  void run(const Values&... values) {
    auto result = (*this)(values...);
    while (result.next()) {
    }
  }

 private:
  int bind(int index, std::integral auto value) {
    return sqlite3_bind_int64(prepared_.get(), index, static_cast<sqlite3_int64>(value));
  }
  int bind(int index, std::string_view text) {
    return sqlite3_bind_text64(prepared_.get(), index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int bind(int index, blob value) {
    // Null means NULL, which is not an empty blob.
    const char* const data = value.bytes.empty() ? "" : value.bytes.data();
    return sqlite3_bind_blob64(prepared_.get(), index, data, value.bytes.size(), SQLITE_STATIC);
  }

  connection& connection_;
  connection::prepared prepared_;
};

}  // namespace sqlite

#endif  // ASYNC_RESOURCE_EXAMPLES_4_SQLITE_SQLITE_HPP
