// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A key-value server on SQLite. All requests that wait when the connection is free are one transaction, so that a write
// to the disk serves many of them; each is answered when that has been committed. kv_protocol.hpp has the protocol.
//
//   kv_server --database store.db --port 8888 --threads 2 &
//   kv_client --port 8888 --connections 64 --seconds 5

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/thread_pool.hpp>
#include <async_resource.hpp>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/options.hpp"
#include "../support/server.hpp"
#include "../support/stream.hpp"
#include "kv_protocol.hpp"
#include "sqlite.hpp"

namespace {

using database = asyncres::async_resource<asio::thread_pool::executor_type, sqlite::connection>;

struct settings : example::options {
  std::string file = "kv.db";
  std::size_t batch = 64;
  sqlite::synchronous level = sqlite::synchronous::full;
};

// What answers requests, at home.
class store {
 public:
  // Gives replies of at most so many bytes, and of no more than a frame holds.
  store(sqlite::connection& connection, std::size_t limit)
      : connection_(connection), limit_(std::min<std::size_t>(limit, asyncres::framing::length_prefix<>::max)) {}

  std::string answer(std::string_view request) {
    example::fields fields(request);
    switch (fields.letter()) {
      case 'P': return put(fields);
      case 'G': return get(fields);
      case 'D': return erase(fields);
      case 'S': return scan(fields);
      default: fields.fail("no such request"); return refusal(fields);
    }
  }

 private:
  static std::string refusal(const example::fields& fields) { return std::string("!") + fields.wrong(); }

  // What a put changed before it failed is undone, without harm to the other requests of the transaction.
  std::string put(example::fields fields) {
    auto ahead = fields;
    do {
      ahead.key();
      ahead.next();
    } while (!ahead.empty());
    if (ahead.wrong()) return refusal(ahead);
    sqlite::savepoint all(connection_);
    do {
      const auto key = fields.key();
      put_.run(sqlite::blob{key}, sqlite::blob{fields.next()});
    } while (!fields.empty());
    all.commit();
    return "+";
  }

  std::string get(example::fields fields) {
    const auto key = fields.key();
    fields.end();
    if (fields.wrong()) return refusal(fields);
    auto found = get_(sqlite::blob{key});
    if (!found.next()) return "-";
    std::string reply = "+";
    if (!append(reply, {found.bytes(0)})) return too_large;
    return reply;
  }

  std::string erase(example::fields fields) {
    const auto key = fields.key();
    fields.end();
    if (fields.wrong()) return refusal(fields);
    erase_.run(sqlite::blob{key});
    return sqlite3_changes(connection_.native_handle()) > 0 ? "+" : "-";
  }

  std::string scan(example::fields fields) {
    const auto behind = fields.next();
    fields.end();
    if (fields.wrong()) return refusal(fields);
    std::string reply = "+";
    for (auto found = scan_(sqlite::blob{behind}); found.next();) {
      if (append(reply, {found.bytes(0), found.bytes(1)})) continue;
      if (reply.size() == 1) return too_large;  // not "+", which says that nothing is behind the key
      break;
    }
    return reply;
  }

  // All of the fields, or none where that would be too much for a reply.
  bool append(std::string& reply, std::initializer_list<std::string_view> fields) const {
    std::size_t size = reply.size();
    for (const auto field : fields) size += asyncres::framing::length_prefix<>::size + field.size();
    if (size > limit_) return false;
    for (const auto field : fields) example::append_field(reply, field);
    return true;
  }

  static sqlite::connection& with_table(sqlite::connection& connection) {
    connection.execute("CREATE TABLE IF NOT EXISTS entry (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID");
    return connection;
  }

  static constexpr auto too_large = "!the entry is larger than a reply";

  sqlite::connection& connection_;
  const std::size_t limit_;
  sqlite::statement put_{with_table(connection_), "INSERT OR REPLACE INTO entry VALUES (?, ?)"};
  sqlite::statement get_{connection_, "SELECT value FROM entry WHERE key = ?"};
  sqlite::statement erase_{connection_, "DELETE FROM entry WHERE key = ?"};
  sqlite::statement scan_{connection_, "SELECT key, value FROM entry WHERE key > ? ORDER BY key"};
};

//! [session]
std::string answer(store& store, std::span<const std::byte> request) try {
  return store.answer({reinterpret_cast<const char*>(request.data()), request.size()});
} catch (const std::exception& failure) {
  return std::string("!") + failure.what();
}

// Replies wait for the commit in memory: when they are so large, the rest of the requests has to make another trip.
constexpr std::size_t enough = 64 * 1024;

template <class Peer>
example::awaitable<void> session(Peer& peer, const database& where, store& store) {
  std::vector<std::string> replies;
  for (;;) {
    const auto requests = co_await peer.read();
    auto next = requests.begin();
    for (auto left = requests.size(); left != 0;) {
      auto answer_some = [&](sqlite::connection&) {
        for (std::size_t size = 0; replies.size() != left && size < enough; size += replies.back().size())
          replies.push_back(answer(store, *next++));
      };
      try {
        co_await where.async_invoke(std::move(answer_some));
      } catch (const std::exception& failure) {
        replies.assign(left, std::string("!") + failure.what());
      }
      for (const auto& reply : replies) peer.reply(asio::buffer(reply));
      left -= replies.size();
      replies.clear();
      if (left != 0) co_await peer.flush();
    }
  }
}
//! [session]

settings read_settings(int argc, char** argv) {
  settings result;
  const auto set_level = [&](std::string_view name) {
    if (name == "full") return result.level = sqlite::synchronous::full, true;
    if (name == "normal") return result.level = sqlite::synchronous::normal, true;
    if (name == "off") return result.level = sqlite::synchronous::off, true;
    return false;
  };
  example::read_options(
      argc, argv, "A key-value server: what it acknowledges is on the disk.", result,
      {example::text_option("database", "FILE", "the database, made if it is not there (kv.db)", result.file),
       example::number_option<std::size_t>(
           "batch", "COUNT", "the most connections whose requests share a transaction (64)", result.batch, 1),
       {"synchronous", "LEVEL",
        "what survives a loss of power: full, all that is acknowledged; normal, some; off, perhaps nothing (full)",
        set_level}});
  return result;
}

void serve(const settings& settings) {
  example::server server(settings);
  asio::thread_pool home(1);
  const database where(home, {.quantum = settings.batch}, std::in_place, settings.file, settings.level);
  auto entries = where.async_invoke(
      [&](sqlite::connection& c) { return asyncres::make_home_ptr<store>(where, c, settings.limit); }, asyncres::block);

  server.stop_on_signals();
  server.observe([&] { return where.stats(); });
  server.run([&](auto& peer) { return session(peer, where, *entries); });

  entries.reset();
  where.async_close(asyncres::block);
}

}  // namespace

int main(int argc, char** argv) try { serve(read_settings(argc, argv)); } catch (const std::exception& error) {
  std::cerr << "kv_server: " << error.what() << '\n';
  return 1;
}
