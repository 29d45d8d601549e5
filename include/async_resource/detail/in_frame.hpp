// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_IN_FRAME_HPP
#define ASYNC_RESOURCE_DETAIL_IN_FRAME_HPP

#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/homebound_service.hpp>
#include <async_resource/detail/invocation.hpp>
#include <async_resource/detail/reserved_memory.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// An invocation in the frame of the coroutine that awaits it. Its handler owns that frame, or resumes it: whoever
// destroys or calls the handler may have destroyed this.
//
// The handler sees to it that its executor is kept at work: that of an asio::awaitable by way of co_spawn, for as long
// as the coroutine is there.
template <class Home, class Function, class Outcome, class Handler>
class in_frame final : public invocation<in_frame<Home, Function, Outcome, Handler>, Home, Function, Outcome, Handler> {
  using base = invocation<in_frame, Home, Function, Outcome, Handler>;

 public:
  static constexpr bool outlives_handler = true;

  in_frame(home_ref<Home>&& home, Function&& function) : base(std::move(home), std::move(function)) {}
  ~in_frame() {}  // Not defaulted: what is in the union is trivially destructible.

  // With the coroutine suspended. What the executor of home throws is the operation's result. So is the lack of memory
  // for the service of a context that is new here; then the coroutine goes on at once.
  // Home's context may be pinned.
  void start(Handler&& handler, std::optional<context_pin>& home_pin) {
    try {
      base::set_handler(std::move(handler), way_back_to(handler.get_executor()));
    } catch (...) {
      return base::complete_with_current_exception(std::move(handler));
    }
    if (const std::error_code refused = base::admit()) return base::reject(refused, home_pin);
    try {
      base::submit(home_pin);
    } catch (...) {
      base::fail_with_current_exception();
    }
  }

 private:
  friend base;
  struct nothing {};

  auto executor() const noexcept { return base::handler().get_executor(); }
  // A strand of an executor that is not Asio's may need two pieces, and keep one until the frame is gone.
  std::allocator<void> memory_for_post() noexcept { return {}; }
  reserved_allocator<void, 1> memory_for_dispatch() noexcept {
    return reserved_allocator<void, 1>(*std::construct_at(std::addressof(memory_)));
  }
  nothing let_go() noexcept { return {}; }
  void release() noexcept {}

  union {
    reserved_memory<1> memory_;
  };
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_IN_FRAME_HPP
