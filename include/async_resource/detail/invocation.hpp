// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_INVOCATION_HPP
#define ASYNC_RESOURCE_DETAIL_INVOCATION_HPP

#include <exception>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/at_home.hpp>
#include <async_resource/detail/blocked_thread.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/drop_watch.hpp>
#include <async_resource/detail/errand.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/homebound.hpp>
#include <async_resource/detail/homebound_service.hpp>
#include <async_resource/detail/leftover.hpp>
#include <async_resource/detail/observation.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// One use of a resource, from its submission to its completion. docs/engine.md has the picture.
//
//   queued      in home's queue, which runs, abandons or fails it
//   running     the drain has the function, in its own stack frame: this object may go meanwhile
//   returning   in the mailbox of the handler's context, or in its executor's queue
//   completed   complete(): the handler is called
//   dropped     drop(): the context of home or of the handler was shut down first
//
// Storage, derived from this, is where it lives: in the frame of the coroutine that awaits it, or in a block of memory.
// It has
//   executor()             where the handler is to be called
//   memory_for_post()      an allocator for a function on its way there,
//   memory_for_dispatch()    from home, or from a thread of the context beneath a strand
//   let_go()               gives what the handler's executor was kept at work with
//   release()              gives the memory back; this object is not used any more
template <class Storage, class Home, class Function, class Outcome, class Handler>
class invocation : public operation_task {
 public:
  void run(home_base& base) noexcept final {
    if constexpr (is_closing<Function>) {
      Outcome success;
      if (!base.wait_for_close(*this)) return_with(base, &success);
    } else {
      Outcome outcome;
      if (call(static_cast<Home&>(base), outcome)) return_with(base, &outcome);
      if constexpr (!Outcome::is_trivial) {
        const user_code now(&base);
        outcome.reset();
      }
    }
  }

  void abandon(home_base* draining) noexcept final {
    if (destroy_function(draining, [] {})) discard(draining);
  }

  void fail(std::error_code error, home_base* draining) noexcept final {
    if (destroy_function(draining, [where = where_type(home_, id_), error]() mutable {
          where.template note_refused<Function>(error);
        }))
      end(error, draining);
  }

  parts take_apart(bool to_be_called) noexcept final {
    // What is left of the function here is dropped with the rest.
    return {this, errand_type::make_remainder(where_type(home_, id_), *function_, stamp(), to_be_called)};
  }
  any_operation* take_running() noexcept final { return this; }
  bool pin_origin(std::optional<context_pin>& pin) const noexcept final {
    return static_cast<bool>(pin.emplace(origin_registry()));
  }
  void refuse(std::error_code error, std::optional<context_pin>& pin) noexcept final {
    where_type(home_, id_).template note_refused<Function>(error);
    outcome_.set_error(as_refusal<Function>(error));
    deliver(nullptr, pin);
  }

  void return_with(home_base& base, void* outcome) noexcept final {
    outcome_.take(std::move(*static_cast<Outcome*>(outcome)));
    if constexpr (has_batches<typename Home::resource_type>)
      if (base.defer(*this)) return;
    send_back(base);
  }
  void end_batch([[maybe_unused]] home_base& base, [[maybe_unused]] const std::exception_ptr& failure) noexcept final {
    if constexpr (has_batches<typename Home::resource_type>) {
      outcome_.fail_with(failure);
      send_back(base);
    }
  }
  home_task* take_result_home() noexcept final {
    if constexpr (has_batches<typename Home::resource_type> && !Outcome::is_trivial)
      return leftover<Outcome>::make(outcome_);
    else
      return nullptr;
  }
  void end(std::error_code error, home_base* draining) noexcept final {
    outcome_.set_error(as_refusal<Function>(error));
    deliver(draining);
  }
  // Destroys what is left, the handler last. Its work goes while its context is there for certain.
  void discard(home_base* draining) noexcept final {
    [[maybe_unused]] std::optional<Handler> handler = std::exchange(handler_, std::nullopt);
    (void)storage().let_go();
    const home_ref<Home> home = std::exchange(home_, {});
    const user_code now(draining);
    outcome_.reset();
    storage().release();
    handler.reset();
  }

  // By the initiating function: it will not be queued.
  void reject(std::error_code error, std::optional<context_pin>& home_pin) noexcept {
    function_.reset();
    where_type(home_, id_).template note_turned_away<Function>();
    outcome_.set_error(as_refusal<Function>(error));
    std::optional<context_pin> pin;
    if (how_ == way_back::kind::post) pin.emplace(origin_registry());
    if (how_ == way_back::kind::post || how_ == way_back::kind::none) home_pin.reset();  // User code is next.
    deliver(nullptr, pin);
  }

  void arrive() final {
    if constexpr (!is_context_executor<executor_type>)
      if (how_ == way_back::kind::strand)
        return dispatch_to_strand(storage().executor(), *this, storage().memory_for_dispatch());
    complete();
  }

  void complete() final {
    Handler handler = std::move(*handler_);
    handler_.reset();
    [[maybe_unused]] const auto work = storage().let_go();
    home_ = {};
    if constexpr (Storage::outlives_handler) {
      std::move(outcome_).pass_to(std::move(handler));
    } else {
      // All of it leaves the block before the handler runs, so that what the handler starts may have the memory.
      Outcome outcome;
      outcome.take(std::move(outcome_));
      storage().release();
      std::move(outcome).pass_to(std::move(handler));
    }
  }

  void lost() noexcept final {
    if (drop_watch::notice(this)) return;
    salvage_result();
    drop();
  }

  void drop() noexcept final {
    function_.reset();
    discard(nullptr);
  }

  void salvage_result() noexcept final {
    if constexpr (!Outcome::is_trivial)
      if (auto* const left = leftover<Outcome>::make(outcome_)) send_home(*home_, *left);
  }

 protected:
  using executor_type = asio::associated_executor_t<Handler, typename Home::inner_executor_type>;

  invocation(home_ref<Home>&& home, Function&& function) : home_(std::move(home)), function_(std::move(function)) {}
  ~invocation() = default;

  const Handler& handler() const noexcept { return *handler_; }

  // The handler comes last: what may throw before leaves it with its owner.
  void set_handler(Handler&& handler, const way_back& way) {
    handler_.emplace(std::move(handler));
    origin_ = way.origin;
    how_ = way.how;
    lane_ = homebound::lane_of_this_thread();
  }

  // Throws what the executor of home throws, or an allocation: then it was not submitted, and has to be dropped or
  // failed. Else it may be through, and destroyed, on return.
  void submit(std::optional<context_pin>& home_pin) {
    if (origin_ && origin_->closed()) [[unlikely]]
      return submit_orphaned();
    if constexpr (!has_no_cancellation_slot<Handler>)
      if (auto slot = asio::get_associated_cancellation_slot(*handler_); slot.is_connected()) {
        const where_type where(home_, id_);
        const auto end = send_errand<Outcome>(where, function_, *this, origin_, origin_registry(), slot, home_pin,
                                              where.template submission<Function>(home_, *function_));
        if (end) reject(*end, home_pin);
        return;
      }
    Home& home = *home_;
    const auto limit = home.wait_limit();
    announce<Function>(home, *this, id_, terms_of(*function_));
    bool taken = false;
    try {
      taken = home.submit(*this, home_pin);
    } catch (...) {
      where_type(home_, id_).template note_refused<Function>(make_error_code(errc::closed));
      throw;
    }
    if (!taken) return reject(errc::closed, home_pin);
    if (limit) limit->arm();
  }

  // Could not be submitted. Within a catch clause.
  void fail_with_current_exception() noexcept {
    function_.reset();
    outcome_.set_current_exception();
    deliver(nullptr);
  }
  void complete_with_current_exception(Handler&& handler) {
    function_.reset();
    outcome_.set_current_exception();
    handler_.emplace(std::move(handler));
    complete();
  }

  std::error_code admit() noexcept { return admission<Function>(*home_); }

 private:
  using where_type = at_home<Home>;
  using errand_type = function_errand<where_type, Function, Outcome>;

  Storage& storage() noexcept { return static_cast<Storage&>(*this); }
  const Storage& storage() const noexcept { return static_cast<const Storage&>(*this); }

  // False if the operation has been taken away meanwhile.
  bool call(Home& home, Outcome& outcome) noexcept {
    try {
      Function function = std::move(*function_);
      function_.reset();
      const task_stamp stamped = stamp();
      const auto id = id_;
      home.stage().enter(*this);
      home.perform(std::move(function), outcome, stamped, id, no_errand);
    } catch (...) {
      outcome.set_current_exception();  // Moving the function threw.
      return destroy_function(&home, [] {});
    }
    return home.stage().leave(*this);
  }

  // False if the operation has been taken away meanwhile.
  template <class Note>
  bool destroy_function(home_base* draining, Note&& note) noexcept {
    if (!draining) {
      function_.reset();
      note();
      return true;
    }
    try {
      [[maybe_unused]] const Function function = std::move(*function_);
      function_.reset();
      draining->stage().enter(*this);
      note();
    } catch (...) {
      function_.reset();  // It could not be moved, and is destroyed in place.
      return true;
    }
    return draining->stage().leave(*this);
  }

  std::shared_ptr<context_registry> origin_registry() const noexcept { return origin_ ? origin_->registry() : nullptr; }

  void deliver(home_base* draining) noexcept {
    std::optional<context_pin> pin;
    deliver(draining, pin);
  }

  void send_back(home_base& base) noexcept {
    if constexpr (Outcome::is_trivial) {
      home_.release();
      base.owner_came_back();
    }
    deliver(&base);
  }

  void wake(home_base* draining) noexcept {
    const user_code now(draining);
    try {
      complete();
    } catch (...) {
      // Moving the result threw, and the handler has been destroyed.
    }
  }

  // The context may be pinned already.
  void deliver(home_base* draining, [[maybe_unused]] std::optional<context_pin>& pin) noexcept {
    if constexpr (is_waker<Handler>) return wake(draining);
    if (how_ != way_back::kind::post) return origin_->push(*this);
    if constexpr (!is_context_executor<executor_type> && !is_context_strand<executor_type>) {
      // An executor of the user's may take its time: the home is not held meanwhile, the context is.
      if (!pin) pin.emplace(origin_registry());
      if (!*pin) return origin_->push(*this);  // For the shutdown that is under way.
      const user_code now(draining);
      drop_watch watch(this);
      try {
        post_to_concrete(storage().executor(), arrival(*this), storage().memory_for_post());
      } catch (...) {
        // It could not take it, and has destroyed it.
      }
      pin.reset();  // What is destroyed now may own the context.
      if (!watch.dropped()) return;
      salvage_result();
      drop();
    }
  }

  // The handler's context went before the operation started.
  void submit_orphaned() noexcept {
    const home_ref<Home> home = home_;
    announce<Function>(*home, *this, id_, terms_of(*function_));
    home_task* const function = take_apart(true).remainder;
    drop();
    if (function)
      send_home(*home, *function);
    else
      take_back_admission<Function>(*home);
  }

  static void send_home(Home& home, home_task& left) noexcept {
    if (!home.try_submit(left)) left.abandon(nullptr);
  }

  way_back::kind how_ = way_back::kind::post;
  [[no_unique_address]] operation_id<typename Home::observer_type> id_;
  home_ref<Home> home_;  // Until it is clear that the result will not have to go back there.
  std::optional<Handler> handler_;
  Outcome outcome_;
  std::optional<Function> function_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_INVOCATION_HPP
