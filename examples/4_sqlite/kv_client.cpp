// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Loads kv_server with writes, and says how many were acknowledged a second and how long that took; or verifies,
// perhaps after the server has been killed and started again, that all that was acknowledged is there.
//
//   kv_client --connections 64 --seconds 5 --journal acknowledged.txt
//   kv_client --verify acknowledged.txt
//
// Each write puts two keys, "RUN/CONNECTION/NUMBER/a" and ".../b", with the same value, which ends with its checksum.
// So a write of which only a part was done is found, whether it was acknowledged or not.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <asio.hpp>
#include <async_resource/framing.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "../support/command_line.hpp"
#include "kv_protocol.hpp"

namespace {

namespace framing = asyncres::framing;
using asio::ip::tcp;
using clock_type = std::chrono::steady_clock;

struct settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8888;
  std::size_t connections = 64;
  std::size_t seconds = 5;
  std::size_t requests = 0;
  std::size_t size = 100;
  std::string journal;
  std::string verify;
};

settings read_settings(int argc, char** argv) {
  using namespace example;
  settings result;
  read_command_line(
      argc, argv, "Loads kv_server with writes, or verifies them.",
      {text_option("host", "HOST", "the server's address (127.0.0.1)", result.host),
       number_option<std::uint16_t>("port", "PORT", "the server's port (8888)", result.port, 1),
       number_option<std::size_t>("connections", "COUNT", "each with one write at a time (64)", result.connections, 1),
       number_option<std::size_t>("seconds", "COUNT", "for how long to write (5)", result.seconds, 1),
       number_option<std::size_t>("requests", "COUNT", "or how much, in all", result.requests, 1),
       number_option<std::size_t>("size", "BYTES", "of a value (100)", result.size, 50),
       text_option("journal", "FILE", "where to note each write as soon as it is acknowledged", result.journal),
       text_option("verify", "FILE", "write nothing, but look for what was noted there", result.verify)});
  return result;
}

// FNV-1a, in hexadecimal.
std::string checksum(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::string digits(16, '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, hash /= 16)
    *digit = "0123456789abcdef"[hash % 16];
  return digits;
}

/// The value that belongs to a write: its name, over and over, and a checksum.
std::string value_of(std::string_view name, std::size_t size) {
  std::string value;
  while (value.size() + 16 < size) value.append(name.substr(0, size - 16 - value.size()));
  return value + checksum(value);
}

bool is_value_of(std::string_view name, std::string_view value) {
  return value == value_of(name, value.size());
}

class client {
 public:
  explicit client(tcp::socket socket) : socket_(std::move(socket)) {}

  static asio::awaitable<client> connect(const tcp::endpoint& server) {
    tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(server, asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
    co_return client(std::move(socket));
  }

  /// Returns the fields of the reply, valid until the next request.
  asio::awaitable<example::fields> ask(const std::string& request) {
    co_await framing::async_write_frame(socket_, asio::buffer(request), asio::use_awaitable);
    co_await framing::async_read_frame(socket_, reply_, asio::use_awaitable);
    example::fields fields(reply_);
    if (fields.letter() != '+') throw std::runtime_error("the server refuses: " + reply_);
    co_return fields;
  }

 private:
  tcp::socket socket_;
  std::string reply_;
};

/// What one run has had acknowledged, in that order.
class journal {
 public:
  explicit journal(const std::string& file) {
    if (file.empty()) return;
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(file);
  }
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;
  ~journal() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  void note(const std::string& name) const {
    if (descriptor_ < 0) return;
    const std::string line = name + '\n';
    if (::write(descriptor_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) fail("the journal");
  }

 private:
  [[noreturn]] static void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
  }

  int descriptor_ = -1;
};

struct tally {
  std::vector<std::chrono::duration<double, std::milli>> latencies;
  std::size_t started = 0;
  std::size_t running = 0;
  std::exception_ptr failure;
};

asio::awaitable<void> write(const tcp::endpoint server, const settings& settings, const std::string prefix,
                            const journal& journal, clock_type::time_point end, tally& total) {
  auto peer = co_await client::connect(server);
  const bool counted = settings.requests > 0;
  for (std::size_t number = 0; counted ? total.started < settings.requests : clock_type::now() < end; ++number) {
    ++total.started;
    const auto name = prefix + std::to_string(number);
    const auto value = value_of(name, settings.size);
    std::string request = "P";
    for (const char* const half : {"/a", "/b"}) {
      example::append_field(request, name + half);
      example::append_field(request, value);
    }
    const auto start = clock_type::now();
    co_await peer.ask(request);
    total.latencies.push_back(clock_type::now() - start);
    journal.note(name);
  }
}

asio::awaitable<void> show_progress(tally& total, asio::steady_timer& timer) {
  for (std::size_t second = 1, before = 0;; ++second) {
    timer.expires_after(std::chrono::seconds(1));
    const auto [stopped] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (stopped || total.running == 0) co_return;
    const auto now = total.latencies.size();
    std::cout << std::setw(4) << second << " s: " << now - before << " writes acknowledged" << std::endl;
    before = now;
  }
}

void load(asio::io_context& context, const tcp::endpoint& server, const settings& settings) {
  const journal journal(settings.journal);
  std::random_device entropy;
  const auto run = checksum(std::to_string(entropy()) + std::to_string(entropy()));
  tally total;
  asio::steady_timer timer(context);
  const auto start = clock_type::now(), end = start + std::chrono::seconds(settings.seconds);
  for (total.running = 0; total.running != settings.connections; ++total.running) {
    const auto prefix = run + '/' + std::to_string(total.running) + '/';
    asio::co_spawn(context, write(server, settings, prefix, journal, end, total), [&](std::exception_ptr failure) {
      if (failure && !total.failure) total.failure = failure;
      if (--total.running == 0) timer.cancel();
    });
  }
  asio::co_spawn(context, show_progress(total, timer), asio::detached);
  context.run();

  const std::chrono::duration<double> took = clock_type::now() - start;
  auto& sorted = total.latencies;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](std::size_t percent) {
    return sorted.empty() ? 0. : sorted[(sorted.size() - 1) * percent / 100].count();
  };
  std::cout << sorted.size() << " writes acknowledged in " << std::fixed << std::setprecision(2) << took.count()
            << " s, " << std::setprecision(0) << static_cast<double>(sorted.size()) / took.count() << " a second; p50 "
            << std::setprecision(2) << at(50) << " ms, p99 " << at(99) << " ms" << std::endl;
  if (total.failure) std::rethrow_exception(total.failure);
}

/// The writes of one run, as noted in a journal.
struct noted_writes {
  explicit noted_writes(const std::string& file) {
    std::ifstream lines(file);
    if (!lines) throw std::runtime_error("cannot read " + file);
    for (std::string line; std::getline(lines, line);) names.insert(line);
    if (names.empty()) throw std::runtime_error("nothing is noted in " + file);
    run = names.begin()->substr(0, names.begin()->find('/') + 1);
  }

  std::unordered_set<std::string> names;
  std::string run;
};

std::string_view without_half(std::string_view key) {
  return key.substr(0, std::max<std::size_t>(key.size(), 2) - 2);
}

// All keys of the run, in order: the halves of a write are neighbours.
asio::awaitable<void> verify(const tcp::endpoint& server, const std::string& file) {
  noted_writes noted(file);
  auto peer = co_await client::connect(server);
  const auto acknowledged = noted.names.size();
  std::size_t writes = 0;
  std::string last = noted.run, first_half, first_value;
  for (bool done = false; !done;) {
    std::string request = "S";
    example::append_field(request, last);
    auto found = co_await peer.ask(request);
    done = found.empty();
    while (!found.empty() && !done) {
      last = found.next();
      const std::string value(found.next());
      done = !last.starts_with(noted.run);
      if (done) break;
      const std::string name(without_half(last));
      if (!is_value_of(name, value)) throw std::runtime_error("half written: the value of " + last);
      if (last.ends_with("/a") && first_half.empty()) {
        first_half = name;
      } else if (last.ends_with("/b") && first_half == name) {
        first_half.clear();
        noted.names.erase(name);
        ++writes;
      } else {
        throw std::runtime_error("half written: " + last + " is alone");
      }
    }
    if (found.wrong()) throw std::runtime_error(found.wrong());
  }
  if (!first_half.empty()) throw std::runtime_error("half written: " + first_half + "/a is alone");
  if (!noted.names.empty()) {
    throw std::runtime_error("lost: " + std::to_string(noted.names.size()) + " of " + std::to_string(acknowledged) +
                             " acknowledged writes, such as " + *noted.names.begin());
  }
  std::cout << "all " << acknowledged << " acknowledged writes are there, and " << writes - acknowledged
            << " that were not; none is half written" << std::endl;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto settings = read_settings(argc, argv);
  asio::io_context context;
  const tcp::endpoint server = *tcp::resolver(context).resolve(settings.host, std::to_string(settings.port)).begin();
  if (settings.verify.empty()) {
    load(context, server, settings);
    return 0;
  }
  std::exception_ptr failure;
  asio::co_spawn(context, verify(server, settings.verify), [&](std::exception_ptr thrown) { failure = thrown; });
  context.run();
  if (failure) std::rethrow_exception(failure);
} catch (const std::exception& error) {
  std::cerr << "kv_client: " << error.what() << '\n';
  return 1;
}
