// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP
#define ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP

#include <system_error>
#include <utility>

#include <async_resource/detail/closing.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/errand.hpp>
#include <async_resource/detail/function_holder.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/observation.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// One use of a resource whose handler has an executor that cannot post: see completion.hpp for how that is reached. It
// ends at home as far as homes know (origin() is null), and is enrolled with the handler's context instead.
//
//   queued      owned by home's queue, which runs, abandons or fails it
//   returning   run, with the function destroyed at home, and on its way back (completion.hpp)
//   disposing   nobody received the result: queued once more, so that it dies at home
template <class Home, class Function, class Outcome, class Handler>
class enrolled_invocation final : public any_operation,
                                  private function_holder<Function>,
                                  public completion<Handler, typename Home::inner_executor_type, Outcome> {
  using base = completion<Handler, typename Home::inner_executor_type, Outcome>;

 public:
  // With home's context pinned.
  enrolled_invocation(home_ref<Home>&& home, Function&& function, Handler&& handler)
      : function_holder<Function>{std::move(function)},
        base(std::move(handler), home->inner_executor()),
        home_(std::move(home)) {}

  void start(std::optional<context_pin>& home_pin) {
    this->enrol();
    try {
      submit(home_, home_pin);
    } catch (...) {
      home_pin.reset();  // What is destroyed now may own home's context.
      this->give_up();
      throw;
    }
  }

  void run(home_base& home) noexcept override {
    if constexpr (is_closing<Function>) {
      Outcome success;
      if (!home.wait_for_close(*this)) return_with(home, &success);
    } else {
      {
        const user_code now(&home);
        if (disposing_) return destroy();
        Outcome outcome;
        home_->perform(std::move(*this->function_), outcome, stamp(), id_, no_errand);
        this->function_.reset();
        this->result().take(std::move(outcome));
      }
      come_back(home);
    }
  }

  void abandon(home_base* draining) noexcept override {
    const user_code now(draining);
    if (disposing_) return destroy();
    this->function_.reset();
    this->give_up();
  }

  void fail(std::error_code error, home_base* draining) noexcept override {
    const user_code now(draining);
    if (disposing_) return destroy();
    this->function_.reset();
    if constexpr (!is_closing<Function>) home_->note_refused(id_, error);
    this->result().set_error(as_refusal<Function>(error));
    this->deliver();
  }

  parts take_apart(bool to_be_called) noexcept override {
    return {this, errand_type::make_remainder(*home_, *this->function_, id_, stamp(), to_be_called)};
  }
  void refuse(std::error_code error, std::optional<context_pin>&) noexcept override {
    if constexpr (!is_closing<Function>) home_->note_refused(id_, error);
    this->result().set_error(as_refusal<Function>(error));
    // By way of home, which may be going.
    if (const context_pin pin = home_->pin()) return this->deliver();
    this->give_up();
  }

  void return_with(home_base& home, void* outcome) noexcept override {
    {
      const user_code now(&home);
      this->result().take(std::move(*static_cast<Outcome*>(outcome)));
    }
    come_back(home);
  }
  void end_batch(home_base& home, const std::exception_ptr& failure) noexcept override {
    const user_code now(&home);
    this->result().fail_with(failure);
    leave_home();
  }
  void end(std::error_code error, home_base* draining) noexcept override {
    const user_code now(draining);
    this->result().set_error(as_refusal<Function>(error));
    this->deliver();
  }
  void discard(home_base* draining) noexcept override {
    const user_code now(draining);
    this->give_up();
  }

  // By the initiating function, instead of start(): it will not be queued.
  void reject(std::error_code error, std::optional<context_pin>&) noexcept {
    this->enrol();
    turn_away(error);
  }

 private:
  using errand_type = function_errand<Home, Function, Outcome>;

  // By value: the operation may be through, and destroyed, meanwhile.
  void submit(home_ref<Home> home, std::optional<context_pin>& home_pin) {
    if constexpr (!has_no_cancellation_slot<Handler>)
      if (auto slot = this->cancellation_slot(); slot.is_connected()) {
        if (!send_errand<Outcome>(home, this->function_, *this, id_, nullptr, nullptr, slot, home_pin))
          turn_away(errc::closed);
        return;
      }
    announce<Function>(*home, *this, id_, terms_of(*this->function_));
    if (!home->submit(*this, home_pin)) return turn_away(errc::closed);
    if (const auto limit = home->wait_limit()) limit->arm();
  }

  void turn_away(std::error_code error) noexcept {
    this->function_.reset();
    if constexpr (!is_closing<Function>) home_->note_turned_away(id_);
    end(error, nullptr);
  }

  // In the stage `draining`.
  void come_back(home_base& home) noexcept {
    if constexpr (has_batches<typename Home::resource_type>)
      if (home.defer(*this)) return;
    const user_code now(&home);
    leave_home();
  }
  void leave_home() noexcept {
    if constexpr (Outcome::is_trivial) home_ = {};
    this->deliver();
  }

  void on_dropped() noexcept override {
    if constexpr (!Outcome::is_trivial) {
      disposing_ = true;
      set_stamp({0, task_stamp::anytime, {}});
      if (home_->try_submit(*this)) return;
    }
    destroy();
  }

  void destroy() noexcept override { base::free_block(*this); }

  [[no_unique_address]] operation_id<typename Home::observer_type> id_;
  home_ref<Home> home_;  // Until it is clear that the result will not have to go back there.
  bool disposing_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP
