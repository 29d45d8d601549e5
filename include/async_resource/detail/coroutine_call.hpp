// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_COROUTINE_CALL_HPP
#define ASYNC_RESOURCE_DETAIL_COROUTINE_CALL_HPP

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/invoke.hpp>
#include <async_resource/detail/lease_hold.hpp>
#include <async_resource/detail/outcome.hpp>
#include <async_resource/detail/refusal.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What a coroutine function's operation shares with its cancellation slot, which may have it for longer, and the
// coroutine, which must not be without it. A coroutine is cancelled on its own strand, so that is where the signal
// goes.
template <class Home>
class coroutine_relay : public std::enable_shared_from_this<coroutine_relay<Home>> {
 public:
  explicit coroutine_relay(home_ref<Home> home) noexcept : home_(std::move(home)) {}

  asio::cancellation_signal waiting;  // Of the operation while it waits for its turn.

  // In any thread.
  void cancel() noexcept {
    const home_ref<Home> home = this->home();
    if (!home) return;
    waiting.emit(asio::cancellation_type::terminal);
    if (const context_pin pin = home->pin(); pin) try {
        asio::post(home->strand(), [self = this->shared_from_this()] { self->cancel_here(); });
      } catch (...) {
        // No memory: it is not cancelled.
      }
  }

  // The rest is on the strand. Before the coroutine is spawned, with slot(), it may have been cancelled.
  bool cancelled() const noexcept { return cancelled_; }
  asio::cancellation_slot slot() noexcept { return running_.slot(); }
  // The coroutine is through.
  void end() noexcept {
    home_ref<Home> last;
    const std::lock_guard lock(mutex_);
    std::swap(last, home_);
  }

 private:
  void cancel_here() {
    cancelled_ = true;
    running_.emit(asio::cancellation_type::terminal);
  }

  home_ref<Home> home() noexcept {
    const std::lock_guard lock(mutex_);
    return home_;
  }

  asio::cancellation_signal running_;
  bool cancelled_ = false;
  std::mutex mutex_;  // Guards home_.
  home_ref<Home> home_;
};

// The slot's end.
template <class Home>
class cancel_coroutine {
 public:
  explicit cancel_coroutine(std::shared_ptr<coroutine_relay<Home>> relay) noexcept : relay_(std::move(relay)) {}

  void operator()(asio::cancellation_type_t type) noexcept {
    if (type != asio::cancellation_type::none) relay_->cancel();
  }

 private:
  std::shared_ptr<coroutine_relay<Home>> relay_;
};

// The way back of an operation whose function is a coroutine.
template <class Home, class Outcome, class Handler>
class coroutine_completion final : public completion<Handler, typename Home::inner_executor_type, Outcome> {
  using base = completion<Handler, typename Home::inner_executor_type, Outcome>;

 public:
  // With home's context pinned.
  coroutine_completion(const Home& home, Handler&& handler) : base(std::move(handler), home.inner_executor()) {}

  using base::cancellation_slot;
  using base::enrol;
  using base::give_up;

  void finish(Outcome&& outcome) noexcept {
    this->result().take(std::move(outcome));
    this->deliver();
  }

 private:
  void on_dropped() noexcept override { destroy(); }
  void destroy() noexcept override { base::free_block(*this); }
};

struct give_up_completion {
  template <class Completion>
  void operator()(Completion* completion) const noexcept {
    completion->give_up();
  }
};

// A coroutine function: at home, with the resource held until it has finished. Handler of the lease that it asks for,
// on home's strand, where cancellation is as well.
template <class Home, class Function, class Outcome, class Handler>
class coroutine_call {
  using completion_type = coroutine_completion<Home, Outcome, Handler>;
  using relay_type = coroutine_relay<Home>;
  using resource_type = typename Home::resource_type;
  using awaitable_type = std::invoke_result_t<Function&, resource_type&>;
  using result_type = typename awaitable_type::value_type;
  using coroutine_executor = typename awaitable_type::executor_type;

 public:
  using executor_type = asio::strand<typename Home::inner_executor_type>;

  // With home's context pinned.
  coroutine_call(const Home& home, completion_type* completion, Function&& function)
      : strand_(home.strand()), completion_(completion), function_(std::move(function)) {}

  executor_type get_executor() const noexcept { return strand_; }

  // In the initiating function.
  static void start(home_ref<Home> home, completion_type* completion, Function&& function) {
    completion->enrol();
    coroutine_call call(*home, completion, std::move(function));
    lease_owner<Home> hold(new lease_hold<Home>(home, counted_at_end));
    auto slot = completion->cancellation_slot();
    if (slot.is_connected()) {
      call.relay_ = std::make_shared<relay_type>(home);
      slot.template emplace<cancel_coroutine<Home>>(call.relay_);
    }
    using function_type = leasing<lease_owner<Home>, Home>;
    const auto relay = call.relay_;
    initiate_invoke<Home, function_type> lease(std::move(home), function_type{std::move(hold)});
    if (relay)
      lease(asio::bind_cancellation_slot(relay->waiting.slot(), std::move(call)));
    else
      lease(std::move(call));
  }

  // Its turn has come. What is spawned may not begin at all: it can be cancelled before, and its context may go.
  void operator()(std::exception_ptr failure, lease_owner<Home> hold) {
    if (!failure && relay_ && relay_->cancelled()) failure = aborted();
    if (failure) return ending{std::move(completion_), std::move(hold), std::move(relay_)}(failure);
    const home_ref<Home> home = hold->home();
    std::optional<context_pin> pin;
    if (!home->pin(pin)) return;  // The handler goes, too.
    auto coroutine = run(std::move(function_), *hold);
    const auto slot = relay_ ? relay_->slot() : asio::cancellation_slot();
    ending end{std::move(completion_), std::move(hold), std::move(relay_)};
    asio::co_spawn(coroutine_executor(strand_), std::move(coroutine),
                   asio::bind_cancellation_slot(slot, std::move(end)));
  }

 private:
  using owner = std::unique_ptr<completion_type, give_up_completion>;

  // Handler of the coroutine, on the strand.
  struct ending {
    owner completion;
    lease_owner<Home> hold;
    std::shared_ptr<relay_type> relay;

    template <class... Result>
    void operator()(std::exception_ptr failure, Result&&... result) noexcept {
      Outcome outcome;
      if (!failure) try {
          (outcome.set_value(std::move(result)), ...);
        } catch (...) {
          failure = std::current_exception();
        }
      if (failure) outcome.set_exception(failure);
      if (relay) relay->end();
      if (hold) hold->finish(failure);
      hold.reset();
      completion.release()->finish(std::move(outcome));
    }
  };

  static std::exception_ptr aborted() noexcept {
    return std::make_exception_ptr(std::system_error(asio::error::operation_aborted));
  }

  static asio::awaitable<result_type, coroutine_executor> run(Function function, lease_hold<Home>& hold) {
    hold.note_called();
    co_return co_await std::invoke(function, hold.home()->resource());
  }

  executor_type strand_;
  owner completion_;
  Function function_;
  std::shared_ptr<relay_type> relay_;
};

// The initiation of async_invoke for such a function.
template <class Home, class Function>
class initiate_coroutine {
 public:
  using outcome_type =
      typename checked_outcome<typename std::invoke_result_t<Function&, typename Home::resource_type&>::value_type,
                               false>::type;
  using executor_type = typename Home::inner_executor_type;

  template <class F>
  initiate_coroutine(home_ref<Home> home, F&& function)
      : home_(std::move(home)), function_(std::forward<F>(function)) {}

  executor_type get_executor() const noexcept { return home_->inner_executor(); }

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    using call = coroutine_call<Home, Function, outcome_type, handler_type>;
    using completion_type = coroutine_completion<Home, outcome_type, handler_type>;

    handler_type local(std::forward<Handler>(handler));
    if (is_waited_for_here(local) && !home_->may_be_waited_for(false))
      return reject(std::move(local), errc::would_deadlock);
    if constexpr (has_immediate_executor<handler_type>) {
      const std::error_code refused = home_->admit();
      if (refused) return reject(std::move(local), refused);
      home_->give_back_place();  // For the lease to take.
    }
    std::optional<context_pin> pin;
    if (!home_->pin(pin)) return reject(std::move(local), errc::closed);
    const auto allocator = completion_type::allocator_of(local);
    auto* const completion = make_block<completion_type>(allocator, *home_, std::move(local));
    call::start(std::move(home_), completion, std::move(function_));
  }

 private:
  template <class Handler>
  void reject(Handler handler, std::error_code error) {
    [[maybe_unused]] const Function unused = std::move(function_);
    const home_ref<Home> home = std::move(home_);
    home->note_turned_away({});
    refuse_by<outcome_type>(*home, std::move(handler), error);
  }

  home_ref<Home> home_;
  Function function_;
};

// A function that returns an asio::awaitable, where the resource is.
template <class Function, class Resource>
concept coroutine_function =
    std::invocable<Function&, Resource&> && is_awaitable<std::invoke_result_t<Function&, Resource&>>;

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_COROUTINE_CALL_HPP
