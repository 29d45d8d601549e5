// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_COROUTINE_CALL_HPP
#define ASYNC_RESOURCE_DETAIL_COROUTINE_CALL_HPP

#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/blocked_thread.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/coroutine_invocation.hpp>
#include <async_resource/detail/coroutine_stay.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/invoke.hpp>
#include <async_resource/detail/lease_hold.hpp>
#include <async_resource/detail/refusal.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The initiation of async_invoke for a function that is a coroutine.
template <class Home, class Function>
class initiate_coroutine {
 public:
  using outcome_type =
      typename checked_outcome<typename std::invoke_result_t<Function&, typename Home::resource_type&>::value_type,
                               false>::type;
  using executor_type = typename Home::inner_executor_type;

  template <class F>
  initiate_coroutine(home_ref<Home> home, F&& function)
      : home_(std::move(home)), function_(std::make_unique<Function>(std::forward<F>(function))) {}

  executor_type get_executor() const noexcept { return home_->inner_executor(); }

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    using task_type = coroutine_invocation<Home, Function, outcome_type, handler_type>;
    using stay_type = typename task_type::stay_type;
    using turn = coroutine_turn<Home, Function>;

    handler_type local(std::forward<Handler>(handler));
    Home& home = *home_;
    if (is_waited_for_here(local) && !home.may_be_waited_for(false))
      return reject(home, std::move(local), errc::would_deadlock);
    const std::error_code refused = home.admit();
    if (refused && has_immediate_executor<handler_type>) return reject(home, std::move(local), refused);

    place_guard<Home> place{refused ? home_ref<Home>() : home_};
    std::optional<context_pin> pin;
    if (!home.pin(pin)) return reject(home, std::move(local), errc::closed);
    turn its{lease_owner<Home>(new lease_hold<Home>(home_)), std::move(function_)};
    auto stay = std::make_shared<stay_type>(home);
    const auto allocator = task_type::allocator_of(local);
    auto* const task =
        make_block<task_type>(allocator, std::move(home_), std::move(its), std::move(stay), std::move(local));
    place.keep();
    if (refused) return task->reject(refused);
    task->start(pin);
  }

 private:
  template <class Handler>
  void reject(Home& home, Handler handler, std::error_code error) {
    function_.reset();
    home.note_turned_away({});
    refuse_by<outcome_type>(home, std::move(handler), error);
  }

  home_ref<Home> home_;
  std::unique_ptr<Function> function_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_COROUTINE_CALL_HPP
