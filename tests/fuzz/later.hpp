// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_LATER_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_LATER_HPP

#include <asio/error.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "answers.hpp"
#include "async_resource/tokens/completion_token_transform.hpp"

namespace fuzzing {

/// A reply to come, for example::in_order. Copies are the same one.
class later {
 public:
  later() = default;

  /// Each that is waited for is counted.
  explicit later(std::size_t& waited_for) : reply_(std::make_shared<state>()), waited_for_(&waited_for) {}

  /// Only the first counts.
  void give(std::exception_ptr error, reply value) { reply_->give(std::move(error), std::move(value)); }

  /// Whether nobody waits for it any more who has not a copy at hand.
  bool dropped() const { return reply_.use_count() == 1; }

  bool ended() const { return reply_->done; }

  template <class Token>
  auto async_get(Token&& token) && {
    ++*waited_for_;
    return asyncres::completion_token_transform<void(std::exception_ptr, reply)>(
        std::forward<Token>(token), waiting{std::move(reply_)}, [](waiting& it) noexcept { it.cancel(); });
  }

 private:
  using callback = void (*)(std::exception_ptr, reply, void*);

  struct state {
    bool done = false;
    std::exception_ptr error;
    reply value;
    void* context = nullptr;
    callback function = nullptr;

    void give(std::exception_ptr what, reply given) {
      if (std::exchange(done, true)) return;
      error = std::move(what);
      value = std::move(given);
      if (function) function(std::move(error), std::move(value), context);
    }
  };

  struct waiting {
    std::shared_ptr<state> reply_to_come;

    void operator()(void* context, callback function) {
      if (reply_to_come->done)
        return function(std::move(reply_to_come->error), std::move(reply_to_come->value), context);
      reply_to_come->context = context;
      reply_to_come->function = function;
    }

    void cancel() noexcept {
      reply_to_come->give(std::make_exception_ptr(std::system_error(asio::error::operation_aborted)), {});
    }
  };

  std::shared_ptr<state> reply_;
  std::size_t* waited_for_ = nullptr;
};

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_LATER_HPP
