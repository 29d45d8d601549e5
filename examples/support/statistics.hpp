// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_STATISTICS_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_STATISTICS_HPP

#include <algorithm>
#include <async_resource/options.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iomanip>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace example {

/// Written by one thread, read by any.
class counter {
 public:
  void add(std::uint64_t more) noexcept { value_.store(value() + more, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Adds one to a counter when it, or what it was moved to, is destroyed.
class count_at_end {
 public:
  explicit count_at_end(counter& which) noexcept : which_(&which) {}
  count_at_end(count_at_end&& other) noexcept : which_(std::exchange(other.which_, nullptr)) {}
  count_at_end& operator=(count_at_end&&) = delete;
  ~count_at_end() {
    if (which_) which_->add(1);
  }

 private:
  counter* which_;
};

/// What the connections of an I/O thread have done.
struct traffic {
  counter requests, bytes_in, bytes_out;
  counter ended, failed, timed_out;  ///< connections; the latter two are among the first
};

/// Names and values: what the statistics say, in whatever form.
using report = std::vector<std::pair<std::string_view, std::uint64_t>>;

inline void append(report& all, const asyncres::resource_stats& stats) {
  all.insert(all.end(), {{"resource_queued", stats.queued},
                         {"resource_running", stats.running},
                         {"resource_high_water", stats.high_water},
                         {"resource_submitted", stats.submitted},
                         {"resource_completed", stats.completed},
                         {"resource_cancelled", stats.cancelled},
                         {"resource_rejected", stats.rejected},
                         {"resource_failed", stats.failed}});
}

inline std::string logfmt(const report& all) {
  std::ostringstream out;
  for (const auto& [name, value] : all) out << ' ' << name << '=' << value;
  return out.str();
}

inline std::string json(const report& all, std::string_view state) {
  std::ostringstream out;
  out << "{\"state\":\"" << state << '"';
  for (const auto& [name, value] : all) out << ",\"" << name << "\":" << value;
  out << "}\n";
  return out.str();
}

inline bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

inline std::string escaped(char c) {
  if (c == '\n') return "\\n";
  std::ostringstream out;
  out << "\\x" << std::hex << std::setw(2) << std::setfill('0') << +c;
  return out.str();
}

/// Text as one value of a line in logfmt, whoever chose it.
inline std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += is_control(c) ? escaped(c) : std::string(1, c);
  }
  return result + '"';
}

/// The same, without quotes where none are needed.
inline std::string logfmt_value(std::string_view text) {
  const bool plain =
      std::none_of(text.begin(), text.end(), is_control) && text.find_first_of(" \"\\=") == std::string_view::npos;
  return plain ? std::string(text) : in_quotes(text);
}

/// Text for people: of several lines, the second and on are indented, so that none passes for one of the server's own.
inline std::string indented(std::string_view text) {
  std::string result;
  text = text.substr(0, text.find_last_not_of('\n') + 1);
  for (const char c : text) {
    if (c == '\n')
      result += "\n    ";
    else
      result += is_control(c) ? escaped(c) : std::string(1, c);
  }
  return result;
}

/// A line on stderr, whole however many threads write.
inline void write_line(std::string line) {
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

/// Keeps what would be said again and again to so many lines a minute, and counts the rest. For one thread.
class rarely {
 public:
  explicit rarely(std::uint64_t a_minute = 1) : a_minute_(a_minute) {}

  void write(std::string line) {
    const auto now = clock::now();
    if (now >= next_) {
      if (said_ > a_minute_) line += " (and " + std::to_string(said_ - a_minute_) + " more that were not said)";
      next_ = now + std::chrono::minutes(1);
      said_ = 0;
    }
    if (++said_ <= a_minute_) write_line(std::move(line));
  }

 private:
  using clock = std::chrono::steady_clock;

  const std::uint64_t a_minute_;
  std::uint64_t said_ = 0;  // or not, in this minute
  clock::time_point next_{};
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_STATISTICS_HPP
