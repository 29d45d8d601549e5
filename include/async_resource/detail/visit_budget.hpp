// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_VISIT_BUDGET_HPP
#define ASYNC_RESOURCE_DETAIL_VISIT_BUDGET_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>

#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// How much a visit to the strand may do, so that other work on it gets its turn. Reads a clock only if it has to.
class visit_budget {
 public:
  explicit visit_budget(const resource_options& options) noexcept
      : functions_(options.quantum), timed_(options.max_visit.count() > 0) {
    if (timed_) end_ = clock::now() + std::min<std::chrono::microseconds>(options.max_visit, std::chrono::hours(24));
  }

  bool spent() const noexcept { return used_ >= functions_ || (timed_ && used_ > 0 && clock::now() >= end_); }
  void use() noexcept { ++used_; }

 private:
  using clock = std::chrono::steady_clock;

  std::size_t functions_;
  std::size_t used_ = 0;
  bool timed_;
  clock::time_point end_{};
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_VISIT_BUDGET_HPP
