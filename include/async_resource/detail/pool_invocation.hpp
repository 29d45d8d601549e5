// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_POOL_INVOCATION_HPP
#define ASYNC_RESOURCE_DETAIL_POOL_INVOCATION_HPP

#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/errand.hpp>
#include <async_resource/detail/function_holder.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/lease_hold.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/tenant.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>
#include <async_resource/observer.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The function of an operation that waits for members of the pool to leave. Never called: such an operation only ends.
struct pool_wait {};

template <class Function>
inline constexpr bool is_pool_wait = std::is_same_v<Function, pool_wait>;

// The function of an operation that asks for a lease of one of the members: made where it runs.
template <class Lease, class Home>
struct pool_leasing {
  Home* home = nullptr;

  template <class Resource>
  Lease operator()(Resource& resource) {
    home->add_owner();
    const home_ref<Home> owner(home);
    return leasing<Lease, Home>{lease_owner<Home>(new lease_hold<Home>(owner))}(resource);
  }
  bool ends_later() const noexcept { return false; }
};

template <class Lease, class Home>
inline constexpr bool runs_alone<pool_leasing<Lease, Home>> = true;

// Which member it is, for a function that has to know.
template <class Function, class Home>
void tell_home(Function&, Home&) noexcept {}
template <class Lease, class Home>
void tell_home(pool_leasing<Lease, Home>& function, Home& home) noexcept {
  function.home = &home;
}

// What the queue has of an operation that can be cancelled: see errand.
template <class Pool, class Function, class Outcome>
class pool_errand final : public errand {
  using home_type = typename Pool::home_type;

 public:
  pool_errand(Pool& pool, Function&& function, any_operation& operation)
      : errand(operation, nullptr, nullptr), pool_(&pool), function_(std::move(function)) {}

  // Null if there is no memory for it, or moving the function throws.
  static home_task* make_remainder(Pool& pool, Function& function, const task_stamp& stamp) noexcept {
    try {
      return new pool_errand(pool, function, stamp);
    } catch (...) {
      return nullptr;
    }
  }

 private:
  pool_errand(Pool& pool, Function& function, const task_stamp& stamp)
      : errand(stamp, false), pool_(&pool), function_(std::move(function)) {}

  void run_function([[maybe_unused]] home_base& home) noexcept override {
    if constexpr (!is_pool_wait<Function>) {
      Outcome outcome;
      home_ = static_cast<home_type*>(&home);
      tell_home(*function_, *home_);
      home.stage().enter(*this);
      home_->perform(std::move(*function_), outcome, stamp(), {}, this);
      function_.reset();
      if (any_operation* const waiting = end_run(home)) waiting->return_with(home, &outcome);
      if constexpr (!Outcome::is_trivial) {
        const user_code now(&home);
        outcome.reset();
      }
    }
  }

  void ask_function() noexcept override { home_->ask_running(); }
  void destroy_function() noexcept override { function_.reset(); }
  void note_refused([[maybe_unused]] std::error_code error) noexcept override {
    if constexpr (!is_pool_wait<Function>) pool_->note_refused(error);
  }

  Pool* pool_;                 // There for as long as this is in its queue, or runs.
  home_type* home_ = nullptr;  // Where it runs.
  std::optional<Function> function_;
};

// One use of a pool, in one block that carries the completion as well.
//
//   queued      owned by the pool's queue, until a member runs, fails or abandons it
//   returning   run, with the function destroyed at that member's home, and on its way back (completion.hpp)
//   disposing   nobody received the result: sent to that home, so that it dies there
template <class Pool, class Function, class Outcome, class Handler>
class pool_invocation final : public any_operation,
                              private function_holder<Function>,
                              public completion<Handler, typename Pool::inner_executor_type, Outcome> {
  using base = completion<Handler, typename Pool::inner_executor_type, Outcome>;
  using home_type = typename Pool::home_type;

 public:
  // With the pool's context pinned.
  pool_invocation(std::shared_ptr<Pool> pool, Function&& function, Handler&& handler)
      : function_holder<Function>{std::move(function)},
        base(std::move(handler), pool->inner_executor()),
        pool_(std::move(pool)) {}

  // `submit(task, pin)` has the task queued, or says with what it ends instead.
  template <class Submit>
  void start(std::optional<context_pin>& pin, Submit&& submit) {
    this->enrol();
    std::optional<std::error_code> end;
    try {
      end = this->submit(pin, std::forward<Submit>(submit));
    } catch (...) {
      pin.reset();  // What is destroyed now may own the pool's context.
      this->give_up();
      throw;
    }
    if (end) reject(*end);
  }

  // By the initiating function: it will not be queued.
  void reject(std::error_code error) noexcept {
    this->function_.reset();
    if constexpr (!is_pool_wait<Function>) pool_->note_turned_away();
    end(error, nullptr);
  }
  void enrol_and_reject(std::error_code error) noexcept {
    this->enrol();
    reject(error);
  }

  void run([[maybe_unused]] home_base& home) noexcept override {
    if constexpr (!is_pool_wait<Function>) {
      {
        const user_code now(&home);
        if (disposing_) return destroy();
        Outcome outcome;
        auto& here = static_cast<home_type&>(home);
        tell_home(*this->function_, here);
        here.perform(std::move(*this->function_), outcome, stamp(), {}, no_errand);
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
    note_refused(error);
    end_with(error);
  }

  parts take_apart(bool) noexcept override {
    return {this, pool_errand<Pool, Function, Outcome>::make_remainder(*pool_, *this->function_, stamp())};
  }
  void refuse(std::error_code error, std::optional<context_pin>&) noexcept override {
    note_refused(error);
    this->result().set_error(error);
    const std::shared_ptr<Pool> pool = std::move(pool_);
    // By way of the pool's context, which may be going.
    if (const context_pin pin = pool->pin()) return this->deliver();
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
    leave_home(home);
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
  using errand_type = pool_errand<Pool, Function, Outcome>;

  template <class Submit>
  std::optional<std::error_code> submit(std::optional<context_pin>& pin, Submit&& submit) {
    const std::shared_ptr<Pool> pool = pool_;  // The operation may be through, and destroyed, meanwhile.
    if constexpr (!has_no_cancellation_slot<Handler>)
      if (auto slot = this->cancellation_slot(); slot.is_connected())
        return submit_errand(*pool, std::move(slot), pin, std::forward<Submit>(submit));
    return submit(*this, pin);
  }

  // Nothing also where it has been cancelled, and is through.
  template <class Slot, class Submit>
  std::optional<std::error_code> submit_errand(Pool& pool, Slot slot, std::optional<context_pin>& pin,
                                               Submit&& submit) {
    errand* sent = nullptr;
    std::optional<std::error_code> end;
    try {
      sent = new errand_type(pool, std::move(*this->function_), *this);
      this->function_.reset();
      slot.template emplace<canceller>(*sent);
    } catch (...) {
      if constexpr (!is_pool_wait<Function>) pool.give_back_place();
      for (int owners = sent ? 2 : 0; owners > 0; --owners) sent->release();
      throw;
    }
    try {
      end = submit(*sent, pin);
    } catch (...) {
      const bool mine = sent->take_back();
      sent->release();
      if (mine) throw;
      return std::nullopt;
    }
    if (!end) return std::nullopt;
    if (!sent->take_back()) end.reset();
    sent->release();
    return end;
  }

  void note_refused([[maybe_unused]] std::error_code error) noexcept {
    if constexpr (!is_pool_wait<Function>) pool_->note_refused(error);
  }

  void end_with(std::error_code error) noexcept {
    const std::shared_ptr<Pool> last = std::move(pool_);
    this->result().set_error(error);
    this->deliver();
  }

  // In the stage `draining`.
  void come_back(home_base& home) noexcept {
    if constexpr (has_batches<typename Pool::resource_type>)
      if (home.defer(*this)) return;
    const user_code now(&home);
    leave_home(home);
  }
  void leave_home(home_base& home) noexcept {
    if constexpr (!Outcome::is_trivial) {
      home.add_owner();
      home_ = home_ref<home_base>(&home);
    }
    const std::shared_ptr<Pool> last = std::move(pool_);
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

  std::shared_ptr<Pool> pool_;  // Until it is on its way back.
  home_ref<home_base> home_;    // From then on, where its result has to be destroyed.
  bool disposing_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_POOL_INVOCATION_HPP
