// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// A load generator for servers that answer each frame with one, in order: a two-byte length, most significant first, and
// a payload. Each connection keeps as many requests in flight as it is told; each reply is compared with its request.
// One thread, epoll, and no more system calls than the server's way of answering asks for.
//
//   load --port 8888 --connections 64 --depth 16 --payload 64

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.hpp"
#include "sockets.hpp"

namespace {

using namespace benchmarks;
using clock_type = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

constexpr std::size_t prefix_size = 2;

struct settings {
  address server;
  std::size_t connections = 64;
  std::size_t depth = 1;
  std::size_t payload = 64;
  double seconds = 1;
  std::uint64_t requests = 0;
  double warm_up = 0.2;
  std::string reply = "echo";
  int timeout = 10;
};

// What the requests look like: a number, least significant byte first, as far as it fits, and letters.
class pattern {
 public:
  explicit pattern(std::size_t payload) : frame_(prefix_size + payload, '\0') {
    frame_[0] = static_cast<char>(payload / 256);
    frame_[1] = static_cast<char>(payload % 256);
    for (std::size_t i = 0; i != payload; ++i) frame_[prefix_size + i] = static_cast<char>('a' + i % 26);
  }

  std::size_t payload() const { return frame_.size() - prefix_size; }

  void append_request(std::string& out, std::uint64_t number) const {
    const auto at = out.size() + prefix_size;
    out += frame_;
    std::memcpy(out.data() + at, &number, stamp_size());
  }

  // Whether a part of a payload is what the request with that number has there.
  bool matches(std::string_view part, std::size_t position, std::uint64_t number) const {
    char stamp[sizeof number];
    std::memcpy(stamp, &number, sizeof number);
    const auto from = std::min(position, stamp_size());
    const auto stamped = std::min(stamp_size() - from, part.size());
    return std::memcmp(part.data(), stamp + from, stamped) == 0 &&
           std::memcmp(part.data() + stamped, frame_.data() + prefix_size + position + stamped,
                       part.size() - stamped) == 0;
  }

 private:
  std::size_t stamp_size() const { return std::min(sizeof(std::uint64_t), payload()); }

  std::string frame_;
};

// What one connection sends and receives.
class connection {
 public:
  connection(descriptor socket, std::size_t index, const settings& chosen, const pattern& requests)
      : socket_(std::move(socket)),
        index_(index),
        chosen_(chosen),
        requests_(requests),
        sent_at_(chosen.depth),
        echoed_(chosen.reply == "echo") {}

  int number() const { return socket_.get(); }
  std::uint64_t in_flight() const { return made_ - received_; }

  // Makes up for what has been received, unless there is to be no more, and sends it. False if the socket takes no more
  // for now.
  bool send(clock_type::time_point now, bool more) {
    for (;;) {
      if (written_ == out_.size()) refill(now, more);
      if (out_.empty()) return true;
      const auto n = ::send(number(), out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
      if (n < 0 && would_block()) return false;
      if (n < 0) fail(std::generic_category().message(errno));
      written_ += static_cast<std::size_t>(n);
    }
  }

  // Reads once, and adds the time that each reply took. Returns when that was.
  clock_type::time_point receive(std::span<char> buffer, histogram& latency) {
    const auto n = ::recv(number(), buffer.data(), buffer.size(), 0);
    const auto now = clock_type::now();
    if (n < 0 && would_block()) return now;
    if (n < 0) fail(std::generic_category().message(errno));
    if (n == 0) fail("closed by the server");
    for (std::string_view data(buffer.data(), static_cast<std::size_t>(n)); !data.empty();) {
      data.remove_prefix(prefix_read_ == prefix_size ? take_payload(data) : take_prefix(data));
      if (prefix_read_ == prefix_size && position_ == length_) finish_reply(now, latency);
    }
    return now;
  }

 private:
  // About as much as a socket takes; more only if a frame is.
  static constexpr std::size_t chunk = 1 << 16;

  void refill(clock_type::time_point now, bool more) {
    out_.clear();
    written_ = 0;
    for (; more && in_flight() != chosen_.depth && out_.size() < chunk; ++made_) {
      requests_.append_request(out_, unique(made_));
      sent_at_[made_ % chosen_.depth] = now;
    }
  }

  std::size_t take_prefix(std::string_view data) {
    length_ = length_ * 256 + static_cast<unsigned char>(data.front());
    if (++prefix_read_ == prefix_size) {
      if (in_flight() == 0) fail("a reply to nothing");
      if (echoed_ && length_ != requests_.payload()) fail("a reply of " + std::to_string(length_) + " bytes");
    }
    return 1;
  }

  std::size_t take_payload(std::string_view data) {
    const auto part = data.substr(0, length_ - position_);
    if (echoed_ && !requests_.matches(part, position_, unique(received_)))
      fail("a reply that differs from its request");
    position_ += part.size();
    return part.size();
  }

  void finish_reply(clock_type::time_point now, histogram& latency) {
    const std::chrono::nanoseconds took = now - sent_at_[received_ % chosen_.depth];
    latency.add(static_cast<std::uint64_t>(took.count()));
    ++received_;
    prefix_read_ = position_ = length_ = 0;
  }

  // No two requests of all connections have the same number.
  std::uint64_t unique(std::uint64_t request) const { return request * chosen_.connections + index_; }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("connection " + std::to_string(index_ + 1) + ", after " + std::to_string(received_) +
                             " replies: " + what);
  }

  descriptor socket_;
  std::size_t index_;
  const settings& chosen_;
  const pattern& requests_;
  std::vector<clock_type::time_point> sent_at_;
  bool echoed_;

  std::string out_;
  std::size_t written_ = 0;
  std::uint64_t made_ = 0;
  std::uint64_t received_ = 0;

  // Of the reply that is being received.
  std::size_t prefix_read_ = 0;
  std::size_t length_ = 0;
  std::size_t position_ = 0;
};

// All connections, and the loop that serves them.
class load {
 public:
  explicit load(const settings& chosen) : chosen_(chosen), requests_(chosen.payload) {
    clients_.reserve(chosen.connections);
    for (std::size_t i = 0; i != chosen.connections; ++i) {
      clients_.push_back({connection(connect(chosen_.server, chosen_.timeout), i, chosen_, requests_), false});
      auto& added = clients_.back();
      epoll_.add(added.side.number(), &added);
    }
  }
  load(const load&) = delete;
  load& operator=(const load&) = delete;

  void start() {
    for (auto& each : clients_) send(each, clock_type::now());
  }

  // Until the condition, asked after each visit to the system, is met.
  template <class Condition>
  void run_until(Condition condition) {
    while (!condition()) visit();
  }

  // Waits for the replies that are due, and sends nothing more.
  void finish() {
    more_ = false;
    run_until(
        [&] { return std::ranges::all_of(clients_, [](const client& each) { return each.side.in_flight() == 0; }); });
  }

  const histogram& latency() const { return latency_; }
  std::uint64_t replies() const { return earlier_ + latency_.total(); }
  void forget_latency() {
    earlier_ = replies();
    latency_ = {};
  }

 private:
  struct client {
    connection side;
    bool blocked;  // until its socket takes more
  };

  void visit() {
    epoll_event events[256];
    const auto count = epoll_.wait(events, chosen_.timeout * 1'000);
    if (count == 0) throw std::runtime_error("no reply for " + std::to_string(chosen_.timeout) + " s");
    for (std::size_t i = 0; i != count; ++i) serve(*static_cast<client*>(events[i].data.ptr), events[i].events);
  }

  void serve(client& each, std::uint32_t events) {
    const auto now = events == EPOLLOUT ? clock_type::now() : each.side.receive(buffer_, latency_);
    send(each, now);
  }

  void send(client& each, clock_type::time_point now) {
    const bool blocked = !each.side.send(now, more_);
    if (blocked == each.blocked) return;
    each.blocked = blocked;
    epoll_.change(each.side.number(), blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, &each);
  }

  settings chosen_;
  pattern requests_;
  std::vector<client> clients_;
  epoll epoll_;
  std::vector<char> buffer_ = std::vector<char>(1 << 18);
  histogram latency_;
  std::uint64_t earlier_ = 0;
  bool more_ = true;
};

// The processor time of this process.
seconds busy() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

// Says on a terminal, each second, how far it is.
class progress {
 public:
  explicit progress(clock_type::time_point start) : start_(start) {}

  void show(clock_type::time_point now, std::uint64_t replies) {
    if (!terminal_ || now < next_) return;
    std::cerr << '\r' << std::llround(seconds(now - start_).count()) << " s: " << replies << " replies " << std::flush;
    next_ = now + std::chrono::seconds(1);
    shown_ = true;
  }
  ~progress() {
    if (shown_) std::cerr << "\r\033[K";
  }

 private:
  clock_type::time_point start_;
  clock_type::time_point next_ = start_ + std::chrono::seconds(1);
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
};

nlohmann::json measure(const settings& chosen) {
  load all(chosen);
  all.start();
  const auto warm = clock_type::now() + std::chrono::duration_cast<clock_type::duration>(seconds(chosen.warm_up));
  all.run_until([&] { return clock_type::now() >= warm; });
  all.forget_latency();

  const auto start = clock_type::now();
  const auto busy_before = busy();
  progress shown(start);
  auto now = start;
  all.run_until([&] {
    now = clock_type::now();
    shown.show(now, all.latency().total());
    return chosen.requests ? all.latency().total() >= chosen.requests : now - start >= seconds(chosen.seconds);
  });
  const seconds took = now - start;
  const seconds busy_meanwhile = busy() - busy_before;
  const histogram latency = all.latency();
  all.finish();

  const auto requests = latency.total();
  return {{"connections", chosen.connections},
          {"depth", chosen.depth},
          {"payload", chosen.payload},
          {"seconds", took.count()},
          {"requests", requests},
          {"requests_per_second", static_cast<double>(requests) / took.count()},
          {"latency",
           {{"p50_ns", latency.quantile(0.5)},
            {"p99_ns", latency.quantile(0.99)},
            {"p999_ns", latency.quantile(0.999)},
            {"max_ns", latency.largest()}}},
          {"client_busy", busy_meanwhile / took},
          {"all_requests", all.replies()}};
}

// A connection is a descriptor.
void allow_descriptors(std::size_t connections) {
  rlimit limit{};
  checked(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  checked(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  constexpr std::size_t others = 16;
  if (connections + others > limit.rlim_cur)
    throw std::runtime_error("no more than " + std::to_string(limit.rlim_cur) + " descriptors are allowed (ulimit -n)");
}

}  // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app(
      "Measures a server that answers each frame with one, in order: a two-byte length, most significant first, and a "
      "payload.\nA closed loop: a reply is followed by a request at once. Writes one line of JSON; client_busy is the "
      "share of a\nprocessor that this program took: near 1, it is what was measured. all_requests includes those "
      "before "
      "and after\nthe time measured.");
  app.add_option("--host", chosen.server.host, "Where the server listens")->capture_default_str();
  auto* const port = app.add_option("--port", chosen.server.port, "And its port")->check(CLI::Range(1, 65'535));
  auto* const path = app.add_option("--unix", chosen.server.path, "A Unix socket in their place")->excludes(port);
  app.add_option("--connections", chosen.connections, "All connected before the first request")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--depth", chosen.depth, "Requests in flight on each connection")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--payload", chosen.payload, "Bytes of each request, without its prefix")
      ->check(CLI::Range(0, 65'535))
      ->capture_default_str();
  auto* const time = app.add_option("--seconds", chosen.seconds, "How long to measure")
                         ->check(CLI::PositiveNumber)
                         ->capture_default_str();
  app.add_option("--requests", chosen.requests, "How many replies to measure instead")->excludes(time);
  app.add_option("--warm-up", chosen.warm_up, "Seconds before that")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--reply", chosen.reply, "What a reply has to be: the request again (echo), or whatever it is (any)")
      ->check(CLI::IsMember({"echo", "any"}))
      ->capture_default_str();
  app.add_option("--timeout", chosen.timeout, "Seconds without any reply after which to give up")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    if (port->empty() && path->empty()) throw std::runtime_error("--port or --unix is needed; try --help");
    allow_descriptors(chosen.connections);
    std::cout << measure(chosen) << '\n';
  } catch (const std::exception& error) {
    std::cerr << "load: " << error.what() << '\n';
    return 1;
  }
}
