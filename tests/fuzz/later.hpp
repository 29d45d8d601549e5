// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_LATER_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_LATER_HPP

#include <asio/experimental/channel.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

#include "../../examples/support/stream.hpp"
#include "answers.hpp"

namespace fuzzing {

/// A reply to come, for example::in_order. Copies are the same one.
class later {
 public:
  later() = default;

  /// Each that is waited for is counted.
  later(const example::io_executor& executor, std::size_t& waited_for)
      : reply_(std::make_shared<channel>(executor, 1)), waited_for_(&waited_for) {}

  void give(std::exception_ptr error, reply value) { reply_->try_send(std::move(error), std::move(value)); }

  /// Whether nobody waits for it any more who has not a copy at hand.
  bool dropped() const { return reply_.use_count() == 1; }

  bool ended() const { return reply_->ready(); }

  template <class Token>
  auto async_get(Token&& token) && {
    ++*waited_for_;
    return reply_->async_receive(std::forward<Token>(token));
  }

 private:
  using channel = asio::experimental::channel<example::io_executor, void(std::exception_ptr, reply)>;

  std::shared_ptr<channel> reply_;
  std::size_t* waited_for_ = nullptr;
};

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_LATER_HPP
