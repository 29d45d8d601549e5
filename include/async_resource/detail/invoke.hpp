// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_INVOKE_HPP
#define ASYNC_RESOURCE_DETAIL_INVOKE_HPP

#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/blocked_thread.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/enrolled_invocation.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/in_block.hpp>
#include <async_resource/detail/in_frame.hpp>
#include <async_resource/detail/refusal.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What admission gave, until there is something to be queued. An owner, since the block may have become the last one.
template <class Home>
struct place_guard {
  home_ref<Home> home;

  ~place_guard() {
    if (home) home->give_back_place();
  }
  void keep() noexcept { (void)std::exchange(home, {}); }
};

// The initiation of async_invoke: what it needs, until there is a handler.
template <class Home, class Function>
class initiate_invoke {
 public:
  using outcome_type = typename outcome_of<Function, typename Home::resource_type>::type;
  using executor_type = typename Home::inner_executor_type;

  template <class F>
  initiate_invoke(home_ref<Home> home, F&& function) : home_(std::move(home)), function_(std::forward<F>(function)) {}

  executor_type get_executor() const noexcept { return home_->inner_executor(); }

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    constexpr bool posts = can_post<asio::associated_executor_t<handler_type, executor_type>>;
    using task_type = std::conditional_t<posts, in_block<Home, Function, outcome_type, handler_type>,
                                         enrolled_invocation<at_home<Home>, Function, outcome_type, handler_type>>;

    handler_type local(std::forward<Handler>(handler));
    Home& home = *home_;
    if (is_waited_for_here(local)) {
      if (!home.may_be_waited_for(is_leased<Function>)) return reject(home, std::move(local), errc::would_deadlock);
      if constexpr (is_leased<Function>) home.note_leaseholder(std::this_thread::get_id());
      if constexpr (runs_alone<Function>) function_.note_waiter();
    }
    const std::error_code refused = admission<Function>(home);
    if (refused && has_immediate_executor<handler_type>) return reject(home, std::move(local), refused);

    const auto allocator = task_type::allocator_of(local);
    task_type* task = nullptr;
    place_guard<Home> place{refused || !needs_admission<Function> || !home.bounded() ? home_ref<Home>() : home_};
    // Pinned until it is home's, or on its way back: until then it is nobody's, and may keep home's context at work.
    std::optional<context_pin> pin;
    if (home.pin(pin))
      task = make_block<task_type>(allocator, std::move(home_), std::move(function_), std::move(local));
    if (task) place.keep();
    if (!task) return reject(home, std::move(local), errc::closed);
    if (refused) return task->reject(refused, pin);
    task->start(pin);
  }

  // For an operation in a coroutine's frame.
  template <class Handler>
  using in_frame_type = in_frame<Home, Function, outcome_type, Handler>;
  home_ref<Home>&& home() noexcept { return std::move(home_); }
  Function&& function() noexcept { return std::move(function_); }

 private:
  template <class Handler>
  void reject(Home& home, Handler handler, std::error_code error) {
    [[maybe_unused]] const Function unused = std::move(function_);
    if constexpr (is_use<Function>) home.note_turned_away({});
    refuse_by<outcome_type>(home, std::move(handler), as_refusal<Function>(error));
  }

  home_ref<Home> home_;
  Function function_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_INVOKE_HPP
