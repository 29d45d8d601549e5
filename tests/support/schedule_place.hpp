// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_SCHEDULE_PLACE_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_SCHEDULE_PLACE_HPP

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>

#include <functional>
#include <optional>
#include <utility>

#include "support/executors.hpp"

namespace testing {

// An execution context that runs one function when it is told to. Of Asio, or one that Asio does not know.
class place {
 public:
  enum class kind { manual, io };

  explicit place(kind k) {
    if (k == kind::manual)
      manual_.emplace();
    else
      io_.emplace();
  }

  bool there() const noexcept { return manual_ || io_; }
  asio::any_io_executor executor() {
    if (manual_) return manual_->get_executor();
    return io_->get_executor();
  }
  asio::any_io_executor new_strand() {
    if (manual_) return asio::make_strand(manual_->get_executor());
    return asio::make_strand(io_->get_executor());
  }

  // False: nothing is ready. May be called from within.
  bool step() {
    if (manual_) return manual_->run_one();
    if (entered_ == 0) io_->restart();
    const entry now(entered_);
    return io_->poll_one() > 0;
  }

  void destroy() {
    manual_.reset();
    io_.reset();
  }

 private:
  struct entry {
    explicit entry(int& n) noexcept : entered(n) { ++entered; }
    entry(const entry&) = delete;
    ~entry() { --entered; }
    int& entered;
  };

  int entered_ = 0;
  std::optional<manual_context> manual_;
  std::optional<asio::io_context> io_;
};

// Tells when it dies, once however often it is moved.
class mortal {
 public:
  explicit mortal(std::function<void()> tell) : tell_(std::move(tell)) {}
  mortal(mortal&& other) noexcept : tell_(std::exchange(other.tell_, nullptr)) {}
  mortal& operator=(mortal&&) = delete;
  ~mortal() {
    if (tell_) tell_();
  }

 private:
  std::function<void()> tell_;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_SCHEDULE_PLACE_HPP
