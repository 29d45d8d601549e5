// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_COROUTINE_INVOCATION_HPP
#define ASYNC_RESOURCE_DETAIL_COROUTINE_INVOCATION_HPP

#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/at_home.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/coroutine_stay.hpp>
#include <async_resource/detail/drop_watch.hpp>
#include <async_resource/detail/errand.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/one_shot.hpp>
#include <async_resource/detail/outcome.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A cancellation slot's end, for an operation that is in the queue first, and at home then.
template <class Stay>
class coroutine_canceller {
 public:
  coroutine_canceller(std::shared_ptr<Stay> stay, errand& queued) noexcept : stay_(std::move(stay)), queued_(queued) {}

  // In this order: the operation, once taken from the queue, may take the slot with it.
  void operator()(asio::cancellation_type_t type) noexcept {
    if (type != asio::cancellation_type::none) stay_->cancel();
    queued_(type);
  }

 private:
  std::shared_ptr<Stay> stay_;
  canceller queued_;
};

// A slot that is told of both.
template <class Slot, class Stay>
struct coroutine_slot {
  Slot slot;
  std::shared_ptr<Stay> stay;

  template <class>
  void emplace(errand& queued) {
    slot.template emplace<coroutine_canceller<Stay>>(std::move(stay), queued);
  }
};

// One use of a resource by a coroutine function, in one block, with its completion.
//
//   queued      for the function's turn: owned by home's queue, until that runs, fails or abandons it. What ends it
//               here goes back directly
//   granted     on its way out of the drain, in the strand's own queue: no function runs within another
//   running     owned by the coroutine (coroutine_stay.hpp)
//   returning   on its way back (completion.hpp)
//   disposing   nobody received the result: sent home once more, so that it dies there
template <class Home, class Function, class Outcome, class Handler>
class coroutine_invocation final : public any_operation,
                                   public completion<Handler, typename Home::inner_executor_type, Outcome> {
  using base = completion<Handler, typename Home::inner_executor_type, Outcome>;
  using where_type = at_home<Home>;
  using turn = coroutine_turn<Home, Function>;
  using turn_outcome = outcome<std::exception_ptr, turn>;

 public:
  using stay_type = coroutine_stay<Home, Function, coroutine_invocation>;

  using base::give_up;
  using base::result;

  // With home's context pinned.
  coroutine_invocation(home_ref<Home>&& home, turn&& function, std::shared_ptr<stay_type>&& stay, Handler&& handler)
      : base(std::move(handler), home->inner_executor()),
        where_(home),
        owner_(std::move(home)),
        turn_(std::move(function)),
        stay_(std::move(stay)) {}

  void start(std::optional<context_pin>& pin) {
    this->enrol();
    std::optional<std::error_code> end;
    try {
      end = send(pin);
    } catch (...) {
      pin.reset();  // What is destroyed now may own that context.
      this->give_up();
      throw;
    }
    if (end) turn_away(*end);
  }
  // By the initiating function, instead of start(): it will not be queued.
  void reject(std::error_code error) noexcept {
    this->enrol();
    turn_away(error);
  }

  void run(home_base& here) noexcept override {
    turn_outcome granted;
    {
      const user_code now(&here);
      if (disposing_) return destroy();
      owner_->perform(std::move(*turn_), granted, stamp(), where_.id(), no_errand);
      turn_.reset();
    }
    return_with(here, &granted);
  }

  void abandon(home_base* draining) noexcept override {
    const user_code now(draining);
    if (disposing_) return destroy();
    turn_.reset();
    this->give_up();
  }

  void fail(std::error_code error, home_base* draining) noexcept override {
    const user_code now(draining);
    if (disposing_) return destroy();
    turn_.reset();
    where_.template note_refused<turn>(error);
    end_with(error);
  }

  parts take_apart(bool to_be_called) noexcept override {
    return {this, errand_type::make_remainder(where_, *turn_, stamp(), to_be_called)};
  }
  void refuse(std::error_code error, std::optional<context_pin>&) noexcept override {
    where_.template note_refused<turn>(error);
    this->result().set_error(error);
    const home_ref<Home> home = std::move(owner_);
    // By way of that context, which may be going.
    if (const context_pin pin = home->pin()) return this->deliver();
    this->give_up();
  }

  // It has its turn, or has failed to get it.
  void return_with(home_base& home, void* granted) noexcept override {
    const user_code now(&home);
    std::move(*static_cast<turn_outcome*>(granted)).pass_to([this](const std::exception_ptr& failure, turn&& its) {
      if (failure) return come_back(*owner_, failure);
      stay_->take(std::move(its));
      leave_drain();
    });
  }
  void end(std::error_code error, home_base* draining) noexcept override {
    const user_code now(draining);
    end_with(error);
  }
  void discard(home_base* draining) noexcept override {
    const user_code now(draining);
    this->give_up();
  }

  // By its coroutine, at home: with what that stored, or a failure.
  void finish(Home& home, const std::exception_ptr& failure) noexcept { come_back(home, failure); }

 private:
  using errand_type = function_errand<where_type, turn, turn_outcome>;

  std::optional<std::error_code> send(std::optional<context_pin>& pin) {
    auto submit = where_.template submission<turn>(owner_, *turn_);
    if constexpr (!has_no_cancellation_slot<Handler>)
      if (auto slot = this->cancellation_slot(); slot.is_connected())
        return send_errand<turn_outcome>(where_, turn_, *this, nullptr, nullptr,
                                         coroutine_slot<decltype(slot), stay_type>{slot, stay_}, pin,
                                         std::move(submit));
    try {
      return submit(*this, pin);
    } catch (...) {
      where_.template note_refused<turn>(make_error_code(errc::closed));
      throw;
    }
  }

  // With the user's code allowed: starts the coroutine, as soon as the strand is free of the drain.
  void leave_drain() noexcept {
    const home_ref<Home> home = owner_;
    drop_watch watch(this);
    std::exception_ptr failure;
    try {
      const context_pin pin = home->pin();
      if (!pin) return stay()->lose(*this);
      post_to(home->strand(),
              one_shot<coroutine_invocation, &coroutine_invocation::start_here, &coroutine_invocation::start_dropped>(
                  *this),
              this->memory());
    } catch (...) {
      failure = std::current_exception();
    }
    if (!watch.dropped()) return;
    if (failure)
      stay()->end(*this, failure);
    else
      stay()->lose(*this);
  }
  void start_here() { stay_type::start(stay(), *this); }
  void start_dropped() noexcept {
    if (!drop_watch::notice(this)) stay()->lose(*this);
  }
  std::shared_ptr<stay_type> stay() noexcept { return std::move(stay_); }

  void turn_away(std::error_code error) noexcept {
    turn_.reset();
    where_.template note_turned_away<turn>();
    end_with(error);
  }

  void end_with(std::error_code error) noexcept {
    const home_ref<Home> last = std::move(owner_);
    this->result().set_error(error);
    this->deliver();
  }

  // From home.
  void come_back(Home& home, const std::exception_ptr& failure) noexcept {
    if (failure) {
      this->result().reset();
      this->result().set_exception(failure);
    }
    if constexpr (!Outcome::is_trivial) {
      home.add_owner();
      home_ = home_ref<home_base>(&home);
    }
    const home_ref<Home> last = std::move(owner_);
    this->deliver();
  }

  void on_dropped() noexcept override {
    if constexpr (!Outcome::is_trivial)
      if (home_) {
        disposing_ = true;
        set_stamp({0, task_stamp::anytime, {}});  // It may be the lease that holds the others up.
        if (home_->try_submit(*this)) return;
      }
    destroy();
  }

  void destroy() noexcept override { base::free_block(*this); }

  where_type where_;                 // Until it is on its way back.
  home_ref<Home> owner_;             // Likewise.
  std::optional<turn> turn_;         // Unless an errand has it.
  std::shared_ptr<stay_type> stay_;  // Until the coroutine has it.
  home_ref<home_base> home_;         // On its way back: where its result has to be destroyed.
  bool disposing_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_COROUTINE_INVOCATION_HPP
