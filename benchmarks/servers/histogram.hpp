// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_SERVERS_HISTOGRAM_HPP
#define ASYNC_RESOURCE_BENCHMARKS_SERVERS_HISTOGRAM_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace benchmarks {

// Counts numbers in buckets that grow with them, 64 for each power of two: a quantile is too high by 1.6 % at most.
class histogram {
 public:
  void add(std::uint64_t number) {
    ++counts_[bucket_of(number)];
    ++total_;
    largest_ = std::max(largest_, number);
  }

  std::uint64_t total() const { return total_; }
  std::uint64_t largest() const { return largest_; }

  // The largest number of the bucket that holds it.
  std::uint64_t quantile(double share) const {
    auto left = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    for (std::size_t i = 0; i != counts_.size(); ++i) {
      if (left < counts_[i]) return std::min(last_of(i), largest_);
      left -= counts_[i];
    }
    return largest_;
  }

 private:
  static constexpr unsigned bits = 6;
  static constexpr std::size_t each = 1 << bits;

  static std::size_t bucket_of(std::uint64_t number) {
    if (number < 2 * each) return number;
    const auto shift = static_cast<unsigned>(std::bit_width(number)) - bits - 1;
    return shift * each + (number >> shift);
  }

  static std::uint64_t last_of(std::size_t bucket) {
    if (bucket < 2 * each) return bucket;
    const auto shift = bucket / each - 1;
    return ((bucket % each + each + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - bits + 1) * each> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_SERVERS_HISTOGRAM_HPP
