// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_IN_BLOCK_HPP
#define ASYNC_RESOURCE_DETAIL_IN_BLOCK_HPP

#include <memory>
#include <optional>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/blocked_thread.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/homebound_service.hpp>
#include <async_resource/detail/invocation.hpp>
#include <async_resource/detail/reserved_memory.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// An invocation in one block from the handler's associated allocator, which also carries the completion.
template <class Home, class Function, class Outcome, class Handler>
class in_block final : public invocation<in_block<Home, Function, Outcome, Handler>, Home, Function, Outcome, Handler> {
  using base = invocation<in_block, Home, Function, Outcome, Handler>;
  using typename base::executor_type;
  using allocator_type = asio::associated_allocator_t<Handler>;

 public:
  static constexpr bool outlives_handler = false;

  static allocator_type allocator_of(const Handler& handler) noexcept {
    return asio::get_associated_allocator(handler);
  }

  // With home's context pinned.
  in_block(home_ref<Home>&& home, Function&& function, Handler&& handler)
      : in_block(asio::get_associated_executor(handler, home->inner_executor()), std::move(home), std::move(function),
                 std::move(handler)) {}

  using base::reject;

  // With home's context pinned. Drops the operation if it throws.
  void start(std::optional<context_pin>& home_pin) {
    try {
      base::submit(home_pin);
    } catch (...) {
      (void)let_go();
      home_pin.reset();  // What is destroyed now may own home's context.
      base::drop();
      throw;
    }
  }

 private:
  friend base;

  in_block(const executor_type& executor, home_ref<Home>&& home, Function&& function, Handler&& handler)
      : base(std::move(home), std::move(function)),
        allocator_(allocator_of(handler)),
        executor_(executor),
        work_(work_of<executor_type>::start(executor)) {
    if constexpr (is_waker<Handler>)
      base::set_handler(std::move(handler), {nullptr, way_back::kind::none});
    else
      base::set_handler(std::move(handler), way_back_to(executor));
  }

  const executor_type& executor() const noexcept { return executor_; }
  reserved_allocator<void, 2> memory_for_post() noexcept { return reserved_allocator<void, 2>(memory_); }
  reserved_allocator<void, 2> memory_for_dispatch() noexcept { return reserved_allocator<void, 2>(memory_); }
  std::optional<work_t<executor_type>> let_go() noexcept { return std::exchange(work_, std::nullopt); }

  // As soon as no executor holds a piece of it any more.
  void release() noexcept {
    memory_.when_idle(
        [](void* self) noexcept {
          auto* const idle = static_cast<in_block*>(self);
          destroy_block(idle, allocator_type(idle->allocator_));
        },
        this);
  }

  [[no_unique_address]] allocator_type allocator_;
  executor_type executor_;
  std::optional<work_t<executor_type>> work_;
  reserved_memory<2> memory_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_IN_BLOCK_HPP
