// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_COMPLETION_HPP
#define ASYNC_RESOURCE_DETAIL_COMPLETION_HPP

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/blocked_thread.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/one_shot.hpp>
#include <async_resource/detail/reserved_memory.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The way back: a handler waiting for an outcome, its executor kept at work, and the memory that carries both there.
//
//   waiting   enrolled with the handler's context, whose shutdown destroys the handler and nothing else
//   posted    deliver() has sent it to the handler's executor
//   called    complete() there: frees the block, then calls the handler
//   dropped   that context was shut down before: the handler is destroyed, then on_dropped() decides about the outcome
//
// Fallback is the executor for a handler without one, and the one from which to reach an executor that cannot post.
template <class Handler, class Fallback, class Outcome>
class completion : public context_member {
 public:
  using handler_executor = asio::associated_executor_t<Handler, Fallback>;
  // Where the handler names no allocator, a block comes from what Asio keeps for each thread, as those of its own
  // operations do: once that is warm, nothing is allocated.
  using allocator_type = asio::associated_allocator_t<Handler, asio::recycling_allocator<void>>;

  static allocator_type allocator_of(const Handler& handler) noexcept {
    return asio::get_associated_allocator(handler, asio::recycling_allocator<void>());
  }

  completion(Handler&& handler, const Fallback& fallback)
      : completion(asio::get_associated_executor(handler, fallback), handler, fallback) {}

  // Once the block is complete, and before it is submitted.
  void enrol() noexcept {
    if (registry_) registry_->enrol(*this);
  }

 protected:
  ~completion() = default;

  // In the thread that has the outcome. The last thing to be done with the object.
  void deliver() noexcept {
    if constexpr (can_post<handler_executor>) {
      if (context_pin pin(registry_, *this); pin)
        send([&] { send_to(*work_); });
      else
        forget();
    } else {
      send([&] { post_to(Fallback(fallback_), hop(*this), memory_); });
    }
  }

  // No outcome will ever come: destroys the handler and the operation, whichever thread this is.
  void give_up() noexcept {
    if (const std::optional<Handler> handler = take_handler())
      this->destroy();
    else
      forget();
  }

  Outcome& result() noexcept { return outcome_; }
  auto cancellation_slot() const noexcept { return asio::get_associated_cancellation_slot(*handler_); }
  // For the way there, too: it is over when the way back begins.
  reserved_memory<2>& memory() noexcept { return memory_; }

  // Gives the block of a derived object back, as soon as no executor holds a piece of it any more.
  template <class Task>
  static void free_block(Task& task) noexcept {
    task.memory_.when_idle(
        [](void* self) noexcept {
          auto* const idle = static_cast<Task*>(self);
          destroy_block(idle, allocator_type(idle->allocator_));
        },
        &task);
  }

  // The handler was destroyed with its context, and the outcome is still there. Destroys the operation.
  virtual void on_dropped() noexcept = 0;

 private:
  void complete() {
    // All of it leaves the block before the handler runs, so that what the handler starts may have the memory.
    [[maybe_unused]] const auto work = std::move(work_);
    Handler handler = std::move(*handler_);
    Outcome outcome;
    outcome.take(std::move(outcome_));
    this->destroy();
    std::move(outcome).pass_to(std::move(handler));
  }

  void dropped() noexcept {
    drop_handler();
    on_dropped();
  }

  // From the fallback executor to one that may run functions inside `execute`: off the strand, that does no harm.
  void leave_strand() {
    const bool alive = static_cast<bool>(context_pin(registry_, *this));  // Not pinned: the handler may run right here.
    if (!alive) return forget();
    const auto executor = asio::prefer(*work_, asio::execution::blocking.never);  // A copy: this may go meanwhile.
    executor.execute(delivery(*this));
  }

  void fallback_gone() noexcept { give_up(); }

  using delivery = one_shot<completion, &completion::complete, &completion::dropped>;
  using hop = one_shot<completion, &completion::leave_strand, &completion::fallback_gone>;

  completion(const handler_executor& executor, Handler& handler, const Fallback& fallback)
      : allocator_(allocator_of(handler)),
        registry_(registry_of(context_of(executor))),
        work_(track_work(executor)),
        fallback_(fallback),
        handler_(std::move(handler)) {}

  template <class Executor>
  void send_to(const Executor& executor) {
    if constexpr (is_waker<Handler>)
      delivery (*this)();
    else
      post_to(executor, delivery(*this), memory_);
  }

  template <class Send>
  static void send(Send&& function) noexcept {
    try {
      function();
    } catch (...) {
      // The executor could not take it, and has destroyed it: dropped() has seen to the rest.
    }
  }

  void forget() noexcept {
    outcome_.reset();
    context_registry::leave(registry_, *this);
  }

  // Unless shutdown has it. What becomes of the handler then happens with nothing pinned: it may own its context.
  std::optional<Handler> take_handler() noexcept {
    const context_pin pin(registry_, *this);
    if (!pin) return std::nullopt;
    work_.reset();
    return std::exchange(handler_, std::nullopt);
  }

  void drop_handler() noexcept {
    handler_.reset();
    work_.reset();
  }

  void on_context_shutdown() noexcept final { drop_handler(); }

  // A copy of the fallback may not outlive its context, and is of no use where the handler's executor can post.
  struct unused {
    explicit unused(const Fallback&) noexcept {}
  };
  using kept_fallback = std::conditional_t<can_post<handler_executor>, unused, Fallback>;

  [[no_unique_address]] allocator_type allocator_;
  std::shared_ptr<context_registry> registry_;
  std::optional<tracked_executor<handler_executor>> work_;
  [[no_unique_address]] kept_fallback fallback_;
  Outcome outcome_;
  reserved_memory<2> memory_;
  std::optional<Handler> handler_;  // Last: what may throw while the block is made leaves the handler with its owner.
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_COMPLETION_HPP
