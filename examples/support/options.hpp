// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP

#include <getopt.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>

namespace example {

/// The command line that every server here shares.
struct options {
  std::string app = "counting_echo:echo";
  std::string app_dir = ".";
  std::string host = "127.0.0.1";
  std::uint16_t port = 8888;
  std::size_t threads = 1;
  std::size_t limit = std::numeric_limits<std::uint16_t>::max();
  bool probe = false;
};

namespace detail {

enum option_code : int { app = 256, app_dir, host, port, threads, limit, probe, help };

inline constexpr std::string_view usage =
    "  --app MODULE:CALLABLE  what answers: bytes in, bytes out (counting_echo:echo)\n"
    "  --app-dir DIRECTORY    where Python looks for MODULE first (.)\n"
    "  --host HOST            the address to listen on, IPv4 or IPv6 (127.0.0.1)\n"
    "  --port PORT            the port to listen on; 0 picks a free one (8888)\n"
    "  --threads COUNT        the number of I/O threads (1)\n"
    "  --limit BYTES          the largest payload, either way (65535)\n"
    "  --probe                say on exit how late the timers of the I/O threads were\n"
    "  --help                 show this text\n";

[[noreturn]] inline void reject(std::string_view program, std::string_view message) {
  std::cerr << program << ": " << message << "; try --help\n";
  std::exit(2);
}

template <class Number>
Number number(std::string_view program, std::string_view name, std::string_view text, Number least) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least) {
    reject(program, "--" + std::string(name) + " does not take '" + std::string(text) + "'");
  }
  return value;
}

}  // namespace detail

/// Read the command line; exits with 0 after --help, and with 2 and one line on stderr when it makes no sense.
inline options read_options(int argc, char** argv, std::string_view summary) {
  static constexpr option names[] = {{"app", required_argument, nullptr, detail::app},
                                     {"app-dir", required_argument, nullptr, detail::app_dir},
                                     {"host", required_argument, nullptr, detail::host},
                                     {"port", required_argument, nullptr, detail::port},
                                     {"threads", required_argument, nullptr, detail::threads},
                                     {"limit", required_argument, nullptr, detail::limit},
                                     {"probe", no_argument, nullptr, detail::probe},
                                     {"help", no_argument, nullptr, detail::help},
                                     {}};

  const auto program = std::filesystem::path(argv[0]).filename().string();
  options result;
  for (int code; (code = getopt_long(argc, argv, ":", names, nullptr)) != -1;) {
    const auto last = std::string(argv[optind - 1]);
    switch (code) {
      case detail::app: result.app = optarg; break;
      case detail::app_dir: result.app_dir = optarg; break;
      case detail::host: result.host = optarg; break;
      case detail::port: result.port = detail::number<std::uint16_t>(program, "port", optarg, 0); break;
      case detail::threads: result.threads = detail::number<std::size_t>(program, "threads", optarg, 1); break;
      case detail::limit: result.limit = detail::number<std::size_t>(program, "limit", optarg, 0); break;
      case detail::probe: result.probe = true; break;
      case detail::help:
        std::cout << "usage: " << program << " [OPTION]...\n" << summary << "\n\n" << detail::usage;
        std::exit(0);
      case ':': detail::reject(program, last + " needs a value");
      default:
        detail::reject(program,
                       "unknown option " + (0 < optopt && optopt < 256 ? '-' + std::string(1, char(optopt)) : last));
    }
  }
  if (optind != argc) detail::reject(program, "unexpected argument " + std::string(argv[optind]));
  return result;
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP
