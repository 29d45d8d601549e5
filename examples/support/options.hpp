// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP

#include <getopt.h>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace example {

/// One option of a command line.
struct command_option {
  const char* name;
  std::string_view usage;                ///< its lines of the help text
  std::function<bool(const char*)> set;  ///< returns whether it takes that value; a flag gets null
  bool takes_value = true;
};

inline command_option text_option(const char* name, std::string_view usage, std::string& value) {
  return {name, usage, [&value](const char* text) {
            value = text;
            return true;
          }};
}

/// An option that takes a number, which may not be smaller than `least`.
template <std::unsigned_integral Number>
command_option number_option(const char* name, std::string_view usage, Number& value, Number least) {
  return {name, usage, [&value, least](const char* text) {
            const std::string_view all(text);
            const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), value);
            return error == std::errc{} && end == all.data() + all.size() && value >= least;
          }};
}

inline command_option flag_option(const char* name, std::string_view usage, bool& value) {
  return {name, usage, [&value](const char*) { return value = true; }, false};
}

/// Read a command line; exits with 0 after --help, and with 2 and one line on stderr when it makes no sense.
inline void read_command_line(int argc, char** argv, std::string_view summary,
                              const std::vector<command_option>& known) {
  const auto program = std::filesystem::path(argv[0]).filename().string();
  const auto reject = [&](const std::string& message) {
    std::cerr << program << ": " << message << "; try --help\n";
    std::exit(2);
  };

  constexpr int first = 256, help = 255;
  std::vector<option> names{{"help", no_argument, nullptr, help}};
  for (const auto& each : known) {
    const int code = first + static_cast<int>(names.size()) - 1;
    names.push_back({each.name, each.takes_value ? required_argument : no_argument, nullptr, code});
  }
  names.push_back({});

  for (int code; (code = getopt_long(argc, argv, ":", names.data(), nullptr)) != -1;) {
    const std::string last = argv[optind - 1];
    if (code == help) {
      std::cout << "usage: " << program << " [OPTION]...\n" << summary << "\n\n";
      for (const auto& each : known) std::cout << each.usage;
      std::cout << "  --help                 show this text\n";
      std::exit(0);
    }
    if (code == ':') reject(last + " needs a value");
    if (code < first) {
      reject("unknown option " + (0 < optopt && optopt < help ? '-' + std::string(1, char(optopt)) : last));
    }
    const auto& chosen = known[static_cast<std::size_t>(code - first)];
    if (!chosen.set(optarg)) reject("--" + std::string(chosen.name) + " does not take '" + optarg + "'");
  }
  if (optind != argc) reject("unexpected argument " + std::string(argv[optind]));
}

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

/// Read the command line of a server that has options of its own in place of an app.
inline void read_options(int argc, char** argv, std::string_view summary, options& result,
                         std::vector<command_option> own) {
  for (auto&& shared :
       {text_option("host", "  --host HOST            the address to listen on, IPv4 or IPv6 (127.0.0.1)\n",
                    result.host),
        number_option<std::uint16_t>(
            "port", "  --port PORT            the port to listen on; 0 picks a free one (8888)\n", result.port, 0),
        number_option<std::size_t>("threads", "  --threads COUNT        the number of I/O threads (1)\n",
                                   result.threads, 1),
        number_option<std::size_t>("limit", "  --limit BYTES          the largest payload, either way (65535)\n",
                                   result.limit, 0),
        flag_option("probe", "  --probe                say on exit how late the timers of the I/O threads were\n",
                    result.probe)}) {
    own.push_back(shared);
  }
  read_command_line(argc, argv, summary, own);
}

/// Read the command line of a server.
inline options read_options(int argc, char** argv, std::string_view summary) {
  options result;
  read_options(
      argc, argv, summary, result,
      {text_option("app", "  --app MODULE:CALLABLE  what answers: bytes in, bytes out (counting_echo:echo)\n",
                   result.app),
       text_option("app-dir", "  --app-dir DIRECTORY    where Python looks for MODULE first (.)\n", result.app_dir)});
  return result;
}

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_OPTIONS_HPP
