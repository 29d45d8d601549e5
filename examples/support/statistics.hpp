// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_STATISTICS_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_STATISTICS_HPP

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

/// Text as one value of a line in logfmt.
inline std::string in_quotes(std::string_view text) {
  std::ostringstream out;
  out << '"';
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out << '\\' << c;
    else if (c == '\n')
      out << "\\n";
    else if (static_cast<unsigned char>(c) < ' ')
      out << "\\x" << std::hex << std::setw(2) << std::setfill('0') << +c;
    else
      out << c;
  }
  out << '"';
  return out.str();
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
