// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_ERRAND_HPP
#define ASYNC_RESOURCE_DETAIL_ERRAND_HPP

#include <atomic>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/homebound.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What home's queue has of an operation that can be cancelled: the function, in a block of its own. The operation may be
// through, and its memory gone, long before home gets here; the cancellation slot may hold on to it for longer still.
//
//   queued --> running --> over      home: calls the function; the operation gets its result
//   queued --> over                  home: refuses it
//   queued --> taken                 who cancels, or the expiry: the operation is theirs, and the function only destroyed
//   queued --> orphaned              an eviction: the same, but then the function is run, for nobody, unless home refuses it
//   running --> asking --> running   who cancels: the function is asked to give up, and home waits for that
//
// Ordering: each change of hands releases what was done to the operation, and acquires what others did.
class errand : public home_task {
 public:
  // What a function's type is needed for is below.
  void run(home_base& home) noexcept override {
    if (state_.load(std::memory_order_relaxed) == state::taken)
      dispose_of_function(&home, false);
    else
      run_function(home);
    release();
  }

  void abandon(home_base* draining) noexcept override {
    if (dispose_of_function(draining, try_leave_queue(state::over))) operation_->discard(draining);
    release();
  }

  void fail(std::error_code error, home_base* draining) noexcept override {
    const bool mine = try_leave_queue(state::over);
    const bool ends_here = mine || state_.load(std::memory_order_relaxed) == state::orphaned;
    if (dispose_of_function(draining, mine, ends_here ? error : std::error_code())) operation_->end(error, draining);
    release();
  }

  parts take_apart(bool to_be_called) noexcept override {
    if (!try_leave_queue(to_be_called ? state::orphaned : state::taken)) return {nullptr, this};
    origin_ = nullptr;
    return {operation_, this};
  }

  any_operation* take_running() noexcept override {
    // Not running yet, it may be another's still, or already.
    for (state seen = state_.load(std::memory_order_acquire);;) {
      if (seen == state::taken || seen == state::orphaned) return nullptr;
      if (seen != state::queued || try_move(seen, state::orphaned)) return operation_;
    }
  }

  bool pin_origin(std::optional<context_pin>& pin) const noexcept override {
    return static_cast<bool>(pin.emplace(registry_));
  }

  // By the slot, in any thread.
  void cancel() noexcept {
    // The operation's context has to be there to take it; if it is being shut down, that takes the operation.
    std::optional<context_pin> pin(std::in_place, registry_);
    if (!*pin) return;
    for (state seen = state_.load(std::memory_order_relaxed);;) {
      if (seen == state::queued) {
        if (try_move(seen, state::taken)) return operation_->refuse(asio::error::operation_aborted, pin);
      } else if (seen == state::running) {
        if (try_move(seen, state::asking)) {
          ask_function();
          return state_.store(state::running, std::memory_order_release);
        }
      } else {
        return;
      }
    }
  }

  // At home, with the resource ready: whether the function is to be called.
  bool start() noexcept {
    mine_ = try_leave_queue(state::running);
    return mine_ || state_.load(std::memory_order_relaxed) == state::orphaned;
  }

  // By the submitter, which could not queue it. False: it has been cancelled, and completed.
  bool take_back() noexcept {
    destroy_function();
    return try_leave_queue(state::over);
  }

  void release() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  enum class state : unsigned char { queued, running, asking, over, taken, orphaned };

  // With two owners, the queue and the slot.
  errand(any_operation& operation, homebound* origin, std::shared_ptr<context_registry> registry) noexcept
      : operation_(&operation), registry_(std::move(registry)) {
    origin_ = origin;
  }
  // In the place of an operation that has been taken out of the queue; with one owner.
  errand(const task_stamp& stamp, bool to_be_called) noexcept
      : state_(to_be_called ? state::orphaned : state::taken), owners_(1) {
    set_stamp(stamp);
  }
  virtual ~errand() = default;

  virtual void run_function(home_base& home) noexcept = 0;
  virtual void ask_function() noexcept = 0;
  virtual void destroy_function() noexcept = 0;
  virtual void note_refused(std::error_code error) noexcept = 0;

  bool try_leave_queue(state to) noexcept {
    state expected = state::queued;
    return state_.compare_exchange_strong(expected, to, std::memory_order_acq_rel, std::memory_order_relaxed);
  }

  // The function has returned, and has been destroyed. The operation, if there is one to receive the result.
  any_operation* end_run(home_base& home) noexcept {
    if (mine_)
      for (state seen = state::running; !try_move(seen, state::over); seen = state::running)
        if (seen == state::asking) std::this_thread::yield();
    return home.stage().leave(*this) && mine_ ? operation_ : nullptr;
  }

  any_operation& operation() noexcept { return *operation_; }

 private:
  bool try_move(state& seen, state to) noexcept {
    return state_.compare_exchange_weak(seen, to, std::memory_order_acq_rel, std::memory_order_relaxed);
  }

  // An error is noted. False if the operation is another's, or has been taken away meanwhile.
  bool dispose_of_function(home_base* draining, bool mine, std::error_code error = {}) noexcept {
    if (draining) draining->stage().enter(*this);
    destroy_function();
    if (error) note_refused(error);
    return (!draining || draining->stage().leave(*this)) && mine;
  }

  std::atomic<state> state_{state::queued};
  bool mine_ = false;
  std::atomic<unsigned> owners_{2};
  any_operation* operation_ = nullptr;  // There for whoever takes it.
  std::shared_ptr<context_registry> registry_;
};

// An operation without one.
inline constexpr errand* no_errand = nullptr;

// The function's part. Where: at_home or in_pool, either there for as long as this is in its queue, or runs.
template <class Where, class Function, class Outcome>
class function_errand final : public errand {
 public:
  function_errand(const Where& where, Function&& function, any_operation& operation, homebound* origin,
                  std::shared_ptr<context_registry> registry)
      : errand(operation, origin, std::move(registry)), where_(where), function_(std::move(function)) {}

  // Null if there is no memory for it, or moving the function throws.
  static home_task* make_remainder(const Where& where, Function& function, const task_stamp& stamp,
                                   bool to_be_called) noexcept {
    try {
      return new function_errand(where, function, stamp, to_be_called);
    } catch (...) {
      return nullptr;
    }
  }

  void run(home_base& home) noexcept override {
    if constexpr (is_closing<Function>) {
      if (home.wait_for_close(*this)) return;
      Outcome success;
      if (try_leave_queue(state::over)) operation().return_with(home, &success);
      release();
    } else {
      errand::run(home);
    }
  }

 private:
  function_errand(const Where& where, Function& function, const task_stamp& stamp, bool to_be_called)
      : errand(stamp, to_be_called), where_(where), function_(std::move(function)) {}

  void run_function([[maybe_unused]] home_base& base) noexcept override {
    if constexpr (is_use<Function>) {
      Outcome outcome;
      auto& home = where_.arrive(base, *function_);
      home.stage().enter(*this);
      home.perform(std::move(*function_), outcome, stamp(), where_.id(), this);
      function_.reset();
      if (any_operation* const waiting = end_run(home)) waiting->return_with(home, &outcome);
      if constexpr (!Outcome::is_trivial) {
        const user_code now(&home);
        outcome.reset();
      }
    }
  }

  void ask_function() noexcept override { where_.ask_running(); }
  void destroy_function() noexcept override { function_.reset(); }
  void note_refused(std::error_code error) noexcept override { where_.template note_refused<Function>(error); }

  Where where_;
  std::optional<Function> function_;
};

// The slot's end.
class canceller {
 public:
  explicit canceller(errand& target) noexcept : errand_(&target) {}
  canceller(canceller&& other) noexcept : errand_(std::exchange(other.errand_, nullptr)) {}
  canceller& operator=(canceller&&) = delete;
  ~canceller() {
    if (errand_) errand_->release();
  }

  void operator()(asio::cancellation_type_t type) noexcept {
    if (type != asio::cancellation_type::none) errand_->cancel();
  }

 private:
  errand* errand_;
};

// Whether a handler may have a cancellation slot. Asio says so of those that cannot, through all adapters.
template <class Handler>
concept has_no_cancellation_slot = requires {
  typename asio::associated_cancellation_slot<Handler>::asio_associated_cancellation_slot_is_unspecialised;
};

// Submits an operation whose handler has this slot, by submit(task, pin), which keeps what is there. The operation may be
// through, and gone, as soon as the slot has been told. An error: it was not taken, and is still the caller's, to end with
// that. So it is if the call throws.
template <class Outcome, class Where, class Function, class Slot, class Submit>
std::optional<std::error_code> send_errand(Where where, std::optional<Function>& function, any_operation& operation,
                                           homebound* origin, std::shared_ptr<context_registry> registry, Slot slot,
                                           std::optional<context_pin>& pin, Submit submit) {
  errand* sent = nullptr;
  try {
    sent = new function_errand<Where, Function, Outcome>(where, std::move(*function), operation, origin,
                                                         std::move(registry));
    function.reset();
    slot.template emplace<canceller>(*sent);
  } catch (...) {
    where.template take_back_admission<Function>();
    for (int owners = sent ? 2 : 0; owners > 0; --owners) sent->release();
    throw;
  }
  std::optional<std::error_code> end;
  try {
    end = submit(*sent, pin);
    if (!end) return std::nullopt;
    if (!sent->take_back()) end.reset();  // It has been cancelled, and completed.
  } catch (...) {
    if (sent->take_back()) {
      where.template note_refused<Function>(make_error_code(errc::closed));
      sent->release();
      throw;
    }
  }
  sent->release();
  return end;
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_ERRAND_HPP
