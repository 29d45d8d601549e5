// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command_line.hpp"

namespace example {

/// How long a connection may wait for its peer. Zero is for ever.
struct timeouts {
  seconds handshake{10};
  seconds idle{300};
  seconds read{30};
  seconds write{30};
  seconds linger{1};
};

/// The command line that every server here shares.
struct options {
  std::string app = "counting_echo:echo";
  std::string app_dir = ".";
  std::string host = "127.0.0.1";
  std::uint16_t port = 8888;
  std::size_t threads = 1;
  bool accepts_apart = false;  // on the thread that runs the server, though one I/O thread is enough
  std::size_t limit = std::numeric_limits<std::uint16_t>::max();
  bool probe = false;

  std::string unix_path;
  bool reuse_port = false;
  std::size_t max_connections = 10'000;
  std::size_t in_flight = 16;
  timeouts patience;
  seconds drain_timeout{5};
  seconds lame_duck{0};
  bool log = false;
  seconds stats{0};
  std::string health_host;  // that of the server if empty
  std::string health_port;
  std::string tls_certificate;
  std::string tls_key;
};

namespace detail {

inline std::vector<command_option> where_to_listen(options& result) {
  return {
      text_option("host", "HOST", "the addresses to listen on, IPv4 or IPv6 (127.0.0.1)", result.host),
      number_option<std::uint16_t>("port", "PORT", "the port to listen on; 0 picks a free one (8888)", result.port, 0),
      text_option("unix", "PATH", "listen on a Unix socket instead", result.unix_path),
      flag_option("reuse-port", "share the port with other processes that say so too", result.reuse_port),
      number_option<std::size_t>("threads", "COUNT", "the number of I/O threads (1)", result.threads, 1),
  };
}

inline std::vector<command_option> limits(options& result) {
  return {
      number_option<std::size_t>("limit", "BYTES", "the largest payload, either way (65535)", result.limit, 0),
      number_option<std::size_t>("max-connections", "COUNT",
                                 "beyond it, a new connection is closed at once; as many descriptors are asked for "
                                 "(10000)",
                                 result.max_connections, 1),
      number_option<std::size_t>(
          "in-flight", "COUNT",
          "the most requests of a connection that are taken at once, also beside as many that coroutines "
          "await (16)",
          result.in_flight, 1),
  };
}

inline std::vector<command_option> times(options& result) {
  auto& patience = result.patience;
  return {
      seconds_option("idle-timeout",
                     "close a connection that is without a request for so long; here and below, fractions are taken, "
                     "and 0 is never (300)",
                     patience.idle),
      seconds_option("read-timeout", "from the first byte of a request to its last, if no reply is owed (30)",
                     patience.read),
      seconds_option("write-timeout", "for a peer to take its replies (30)", patience.write),
      seconds_option("linger-timeout", "for a peer to close, when the server has (1)", patience.linger),
      seconds_option("drain-timeout",
                     "for what is under way when SIGTERM or SIGINT comes; a second one ends the wait (5)",
                     result.drain_timeout),
      seconds_option("lame-duck",
                     "go on accepting after the signal for so long, while the health endpoint says that it came; "
                     "0 is not at all (0)",
                     result.lame_duck),
  };
}

inline std::vector<command_option> insight(options& result) {
  const auto take_port = [&result](const char* text) {
    std::uint16_t port = 0;
    result.health_port = text;
    return read_number(text, port);
  };
  return {
      flag_option("log", "write a line for each connection to stderr, in logfmt", result.log),
      seconds_option("stats", "write statistics to stderr whenever these have passed", result.stats),
      {"health-port", "PORT", "answer HTTP there: 200 with statistics in JSON, and 404 from the signal on", take_port},
      text_option("health-host", "HOST", "the addresses of that port, such as 127.0.0.1 (those of --host)",
                  result.health_host),
      flag_option("probe", "say on exit how late the timers of the I/O threads were", result.probe),
  };
}

inline std::vector<command_option> tls([[maybe_unused]] options& result) {
#ifdef ASYNC_RESOURCE_EXAMPLES_TLS
  return {
      text_option("tls-certificate", "FILE", "serve TLS, with this chain of certificates in PEM",
                  result.tls_certificate),
      text_option("tls-key", "FILE", "its private key, if it is not in the same file", result.tls_key),
      seconds_option("handshake-timeout", "for the handshake of TLS (10)", result.patience.handshake),
  };
#else
  return {};
#endif
}

}  // namespace detail

/// Read the command line of a server that has options of its own in place of an app.
inline void read_options(int argc, char** argv, std::string_view summary, options& result,
                         std::vector<command_option> known = {}) {
  for (auto&& group : {detail::where_to_listen(result), detail::limits(result), detail::times(result),
                       detail::tls(result), detail::insight(result)}) {
    known.insert(known.end(), group.begin(), group.end());
  }
  read_command_line(argc, argv, summary, known);
  if (!result.tls_key.empty() && result.tls_certificate.empty())
    reject_command_line(argv, "--tls-key goes with --tls-certificate");
  if (!result.health_host.empty() && result.health_port.empty())
    reject_command_line(argv, "--health-host goes with --health-port");
}

/// Read the command line of a server.
inline options read_options(int argc, char** argv, std::string_view summary) {
  options result;
  read_options(
      argc, argv, summary, result,
      {text_option("app", "MODULE:CALLABLE", "what answers: bytes in, bytes out (counting_echo:echo)", result.app),
       text_option("app-dir", "DIRECTORY", "where Python looks for MODULE first (.)", result.app_dir)});
  return result;
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP
