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
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/drop_watch.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/homebound.hpp>
#include <async_resource/detail/homebound_service.hpp>
#include <async_resource/detail/leftover.hpp>
#include <async_resource/detail/task.hpp>
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
    auto& home = static_cast<Home&>(base);
    Outcome outcome;
    if (call(home, outcome)) {
      outcome_.take(std::move(outcome));
      if constexpr (Outcome::is_trivial) {
        home_.release();
        home.owner_came_back();
      }
      deliver(&home);
    }
    if constexpr (!Outcome::is_trivial) {
      const user_code now(&home);
      outcome.reset();
    }
  }

  void abandon(home_base* draining) noexcept final {
    if (destroy_function(draining)) let_go(draining);
  }

  void fail(std::error_code error, home_base* draining) noexcept final {
    if (!destroy_function(draining)) return;
    outcome_.set_error(error);
    deliver(draining);
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
    let_go(nullptr);
  }

  home_task* salvage_function() noexcept final {
    // What is left of the function here is dropped with the rest: a lock is held now.
    return leftover<leftover_function<Home, Function, Outcome>>::make(*function_);
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

  // Throws what the executor of home throws: then it was not submitted, and has to be dropped or failed. Else it may be
  // through, and destroyed, on return.
  void submit() {
    Home& home = *home_;
    if (origin_ && origin_->closed()) [[unlikely]]
      return submit_orphaned();
    if (!home.submit(*this)) fail(errc::closed, nullptr);
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

 private:
  Storage& storage() noexcept { return static_cast<Storage&>(*this); }

  // False if the operation has been taken away meanwhile.
  bool call(Home& home, Outcome& outcome) noexcept {
    try {
      Function function = std::move(*function_);
      function_.reset();
      home.stage().enter(*this);
      outcome.capture(std::move(function), home.resource());
    } catch (...) {
      outcome.set_current_exception();  // Moving the function threw.
      return destroy_function(&home);
    }
    return home.stage().leave(*this);
  }

  // False if the operation has been taken away meanwhile.
  bool destroy_function(home_base* draining) noexcept {
    if (!draining) {
      function_.reset();
      return true;
    }
    try {
      [[maybe_unused]] const Function function = std::move(*function_);
      function_.reset();
      draining->stage().enter(*this);
    } catch (...) {
      function_.reset();  // It could not be moved, and is destroyed in place.
      return true;
    }
    return draining->stage().leave(*this);
  }

  // Destroys what is left, the handler last. Its work goes while its context is there for certain.
  void let_go(home_base* draining) noexcept {
    [[maybe_unused]] std::optional<Handler> handler = std::exchange(handler_, std::nullopt);
    (void)storage().let_go();
    const home_ref<Home> home = std::exchange(home_, {});
    const user_code now(draining);
    outcome_.reset();
    storage().release();
    handler.reset();
  }

  void deliver(home_base* draining) noexcept {
    if (how_ != way_back::kind::post) return origin_->push(*this);
    if constexpr (!is_context_executor<executor_type> && !is_context_strand<executor_type>) {
      // An executor of the user's may take its time: the home is not held meanwhile, the context is.
      std::optional<context_pin> pin(std::in_place, known_registry_of(storage().executor()));
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
    home_task* const function = salvage_function();
    drop();
    if (function) send_home(*home, *function);
  }

  static void send_home(Home& home, home_task& left) noexcept {
    if (!home.try_submit(left)) left.abandon(nullptr);
  }

  way_back::kind how_ = way_back::kind::post;
  home_ref<Home> home_;  // Until it is clear that the result will not have to go back there.
  std::optional<Handler> handler_;
  Outcome outcome_;
  std::optional<Function> function_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_INVOCATION_HPP
