// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_COMMAND_LINE_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_COMMAND_LINE_HPP

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace example {

using seconds = std::chrono::duration<double>;

/// One option of a command line.
struct command_option {
  const char* name;
  std::string_view value;                ///< what its value is called; a flag has none
  std::string_view purpose;              ///< as --help has it
  std::function<bool(const char*)> set;  ///< returns whether it takes that value; a flag gets null
};

/// An option that takes a text, which may not be empty.
inline command_option text_option(const char* name, std::string_view kind, std::string_view purpose,
                                  std::string& value) {
  return {name, kind, purpose, [&value](const char* text) {
            value = text;
            return !value.empty();
          }};
}

/// Whether the whole text is a number, which is then stored.
template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

/// An option that takes a number, which may not be smaller than `least`.
template <std::unsigned_integral Number>
command_option number_option(const char* name, std::string_view kind, std::string_view purpose, Number& value,
                             Number least) {
  return {name, kind, purpose,
          [&value, least](const char* text) { return read_number(text, value) && value >= least; }};
}

/// An option that takes a time in seconds, fractions included.
inline command_option seconds_option(const char* name, std::string_view purpose, seconds& value) {
  return {name, "SECONDS", purpose, [&value](const char* text) {
            double number = 0;
            constexpr double year = 31'536'000;
            if (!read_number(text, number) || !(number >= 0 && number <= year)) return false;
            value = seconds(number);
            return true;
          }};
}

inline command_option flag_option(const char* name, std::string_view purpose, bool& value) {
  return {name, "", purpose, [&value](const char*) { return value = true; }};
}

/// Write what one option is for, in a column of its own.
inline void write_usage(std::ostream& out, const command_option& option) {
  constexpr std::size_t column = 31, width = 100;
  std::string line = std::string("  --") + option.name + (option.value.empty() ? "" : " ") + std::string(option.value);
  line.resize(std::max(line.size() + 2, column), ' ');
  std::istringstream words{std::string(option.purpose)};
  for (std::string word; words >> word;) {
    if (line.size() + word.size() > width) {
      out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
      line.assign(column, ' ');
    }
    line += word + ' ';
  }
  out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
}

inline std::string program_name(char** argv) {
  return std::filesystem::path(argv[0]).filename().string();
}

/// A command line that makes no sense ends the program, with one line on stderr.
[[noreturn]] inline void reject_command_line(char** argv, const std::string& message) {
  std::cerr << program_name(argv) << ": " << message << "; try --help\n";
  std::exit(2);
}

/// Read a command line; exits with 0 after --help, and with 2 when it makes no sense.
inline void read_command_line(int argc, char** argv, std::string_view summary,
                              const std::vector<command_option>& known) {
  const auto reject = [&](const std::string& message) { reject_command_line(argv, message); };

  constexpr int first = 256, help = 255;
  std::vector<option> names{{"help", no_argument, nullptr, help}};
  for (const auto& each : known) {
    const int code = first + static_cast<int>(names.size()) - 1;
    names.push_back({each.name, each.value.empty() ? no_argument : required_argument, nullptr, code});
  }
  names.push_back({});

  for (int code; (code = getopt_long(argc, argv, ":", names.data(), nullptr)) != -1;) {
    const std::string last = argv[optind - 1];
    if (code == help) {
      std::cout << "usage: " << program_name(argv) << " [OPTION]...\n" << summary << "\n\n";
      for (const auto& each : known) write_usage(std::cout, each);
      write_usage(std::cout, {"help", "", "show this text", nullptr});
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

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_COMMAND_LINE_HPP
