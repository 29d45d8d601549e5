// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP
#define ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP

#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/at_home.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/errand.hpp>
#include <async_resource/detail/function_holder.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// One use of a resource that ends at home as far as homes know (origin() is null), and is enrolled with the handler's
// context instead: for a handler whose executor cannot post (see completion.hpp for how that is reached), and for a
// pool, where nobody knows beforehand which home it will be. In one block, with its completion.
//
//   queued      owned by a queue, until home runs, fails or abandons it
//   returning   run, with the function destroyed at home, and on its way back (completion.hpp)
//   disposing   nobody received the result: sent home once more, so that it dies there
//
// Where: at_home or in_pool.
template <class Where, class Function, class Outcome, class Handler>
class enrolled_invocation final : public any_operation,
                                  private function_holder<Function>,
                                  public completion<Handler, typename Where::home_type::inner_executor_type, Outcome> {
  using base = completion<Handler, typename Where::home_type::inner_executor_type, Outcome>;
  using owner = typename Where::owner;

 public:
  // With the context of home, or of the pool, pinned.
  enrolled_invocation(owner&& there, Function&& function, Handler&& handler)
      : function_holder<Function>{std::move(function)},
        base(std::move(handler), there->inner_executor()),
        where_(there),
        owner_(std::move(there)) {}

  // By where_.submission().
  void start(std::optional<context_pin>& pin) {
    start(pin, where_.template submission<Function>(owner_, *this->function_));
  }
  // submit(task, pin) has the task queued, or says with what it ends instead, and keeps what is there meanwhile.
  template <class Submit>
  void start(std::optional<context_pin>& pin, Submit submit) {
    this->enrol();
    std::optional<std::error_code> end;
    try {
      end = send(pin, std::move(submit));
    } catch (...) {
      pin.reset();  // What is destroyed now may own that context.
      this->give_up();
      throw;
    }
    if (end) turn_away(*end);
  }
  // By the initiating function, instead of start(): it will not be queued.
  void reject(std::error_code error, std::optional<context_pin>&) noexcept {
    this->enrol();
    turn_away(error);
  }

  void run(home_base& here) noexcept override {
    if constexpr (is_closing<Function>) {
      Outcome success;
      if (!here.wait_for_close(*this)) return_with(here, &success);
    } else if constexpr (is_use<Function>) {
      {
        const user_code now(&here);
        if (disposing_) return destroy();
        Outcome outcome;
        auto& home = where_.arrive(here, *this->function_);
        home.perform(std::move(*this->function_), outcome, stamp(), where_.id(), no_errand);
        this->function_.reset();
        this->result().take(std::move(outcome));
      }
      come_back(here);
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
    where_.template note_refused<Function>(error);
    end_with(error);
  }

  parts take_apart(bool to_be_called) noexcept override {
    return {this, errand_type::make_remainder(where_, *this->function_, stamp(), to_be_called)};
  }
  void refuse(std::error_code error, std::optional<context_pin>&) noexcept override {
    where_.template note_refused<Function>(error);
    this->result().set_error(as_refusal<Function>(error));
    const owner there = std::move(owner_);
    // By way of that context, which may be going.
    if (const context_pin pin = there->pin()) return this->deliver();
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
    leave(home);
  }
  void end(std::error_code error, home_base* draining) noexcept override {
    const user_code now(draining);
    end_with(error);
  }
  void discard(home_base* draining) noexcept override {
    const user_code now(draining);
    this->give_up();
  }

 private:
  using errand_type = function_errand<Where, Function, Outcome>;

  template <class Submit>
  std::optional<std::error_code> send(std::optional<context_pin>& pin, Submit submit) {
    if constexpr (!has_no_cancellation_slot<Handler>)
      if (auto slot = this->cancellation_slot(); slot.is_connected())
        return send_errand<Outcome>(where_, this->function_, *this, nullptr, nullptr, slot, pin, std::move(submit));
    try {
      return submit(*this, pin);
    } catch (...) {
      where_.template note_refused<Function>(make_error_code(errc::closed));
      throw;
    }
  }

  void turn_away(std::error_code error) noexcept {
    this->function_.reset();
    where_.template note_turned_away<Function>();
    end_with(error);
  }

  void end_with(std::error_code error) noexcept {
    const owner last = std::move(owner_);
    this->result().set_error(as_refusal<Function>(error));
    this->deliver();
  }

  // In the stage `draining`.
  void come_back(home_base& home) noexcept {
    if constexpr (has_batches<typename Where::home_type::resource_type>)
      if (home.defer(*this)) return;
    const user_code now(&home);
    leave(home);
  }
  void leave(home_base& home) noexcept {
    if constexpr (!Outcome::is_trivial) {
      home.add_owner();
      home_ = home_ref<home_base>(&home);
    }
    const owner last = std::move(owner_);
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

  Where where_;               // Until it has run.
  owner owner_;               // Until it is on its way back.
  home_ref<home_base> home_;  // From then on, where its result has to be destroyed.
  bool disposing_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP
