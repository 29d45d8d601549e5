// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_COROUTINE_STAY_HPP
#define ASYNC_RESOURCE_DETAIL_COROUTINE_STAY_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/coroutine_watch.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/lease_hold.hpp>
#include <async_resource/detail/outcome.hpp>
#include <async_resource/detail/tenant.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A coroutine function and the lease under which it runs. In home's queue, the function of an operation that asks for
// that lease, and comes to both.
template <class Home, class Function>
struct coroutine_turn {
  lease_owner<Home> hold;
  std::unique_ptr<Function> function;  // Moving it might throw.

  template <class Resource>
  coroutine_turn operator()(Resource&) {
    hold->begin();
    return std::move(*this);
  }
  bool ends_later() const noexcept { return true; }
};

template <class Home, class Function>
inline constexpr bool runs_alone<coroutine_turn<Home, Function>> = true;

// A coroutine function at home, with the resource held until it has finished. Shared by the coroutine, the handler that
// is called at its end, and whoever cancels, who may have it for longer.
//
//   waiting --start--> running      on home's strand, in its turn
//           --start--> over         cancelled, or there was no memory for the coroutine
//   running --end----> over         on the strand: the operation completes
//   waiting, running --lose--> over    home's context went: so does the handler
//
// A coroutine may only be cancelled where it runs, so that is where the signal is emitted. What is cancelled while it
// waits never runs.
template <class Home, class Function, class Operation>
class coroutine_stay final : public running_coroutine,
                             public std::enable_shared_from_this<coroutine_stay<Home, Function, Operation>> {
  using turn = coroutine_turn<Home, Function>;
  using strand_type = asio::strand<typename Home::inner_executor_type>;
  using awaitable_type = std::invoke_result_t<Function&, typename Home::resource_type&>;
  using coroutine_executor = typename awaitable_type::executor_type;

 public:
  // In the initiating function, hence in the epoch of its operation or before.
  explicit coroutine_stay(const Home& home) noexcept : epoch_(home.epoch()) {}

  // In any thread.
  void cancel() noexcept override {
    const home_ref<Home> home = note_cancelled();
    if (!home) return;
    if (const context_pin pin = home->pin(); pin) try {
        asio::post(home->strand(), [self = this->shared_from_this()] { self->cancel_here(); });
      } catch (...) {
        // No memory: it is not cancelled.
      }
  }

  // The rest is on the strand, or with that gone.

  void take(turn&& granted) noexcept { turn_ = std::move(granted); }

  static void start(std::shared_ptr<coroutine_stay> self, Operation& operation) noexcept {
    self->operation_ = &operation;
    const home_ref<Home> home = self->turn_.hold->home();
    std::optional<strand_type> strand;
    if (const context_pin pin = home->pin(); pin) strand.emplace(home->strand());
    if (!strand) return self->lose();
    if (!self->enter(home)) return self->end(exception_of(asio::error::operation_aborted));
    self->spawning_ = true;
    try {
      asio::co_spawn(coroutine_executor(*strand), run(self),
                     asio::bind_cancellation_slot(self->signal_.slot(), ending(self, *strand)));
      self->spawning_ = false;
    } catch (...) {
      self->spawning_ = false;
      self->end(std::current_exception());
    }
  }

  // Before it could start, or instead.
  void end(Operation& operation, const std::exception_ptr& failure) noexcept {
    operation_ = &operation;
    end(failure);
  }
  void lose(Operation& operation) noexcept {
    operation_ = &operation;
    lose();
  }

 private:
  // What co_spawn has for the coroutine's end: called, also if it never began, or destroyed with home's context. On the
  // strand as it is, so that calling it takes no memory.
  class ending {
   public:
    using executor_type = strand_type;

    ending(std::shared_ptr<coroutine_stay> stay, const strand_type& strand) noexcept
        : stay_(std::move(stay)), strand_(strand) {}
    ending(ending&& other) noexcept = default;
    ending& operator=(ending&&) = delete;
    ~ending() {
      if (stay_ && !stay_->spawning_) stay_->lose();
    }

    executor_type get_executor() const noexcept { return strand_; }

    void operator()(const std::exception_ptr& failure) noexcept { std::exchange(stay_, nullptr)->end(failure); }

   private:
    std::shared_ptr<coroutine_stay> stay_;
    strand_type strand_;
  };

  // Keeps the result where it has to go, so that what moving it throws is what the coroutine came to.
  static asio::awaitable<void, coroutine_executor> run(std::shared_ptr<coroutine_stay> self) {
    self->turn_.hold->note_called();
    Function& function = *self->turn_.function;
    auto& resource = self->turn_.hold->home()->resource();
    if constexpr (std::is_void_v<typename awaitable_type::value_type>)
      co_await std::invoke(function, resource);
    else
      self->operation_->result().set_value(co_await std::invoke(function, resource));
  }

  // False: it has been cancelled. Either this sees that, or whoever cancels sees it run.
  bool enter(const home_ref<Home>& home) noexcept {
    home->coroutines().begin(this->shared_from_this(), epoch_);
    const std::lock_guard lock(mutex_);
    home_ = home;
    return !cancelled_ && home->epoch() == epoch_;
  }

  void end(const std::exception_ptr& failure) noexcept {
    Operation* const operation = leave();
    if (!operation) return;
    const home_ref<Home> home = turn_.hold->home();
    turn_.hold->finish(failure);
    clear();
    operation->finish(*home, failure);
  }

  void lose() noexcept {
    Operation* const operation = leave();
    if (!operation) return;
    clear();
    operation->give_up();
  }

  // The operation, if it is not over yet.
  Operation* leave() noexcept {
    home_ref<Home> home;
    {
      const std::lock_guard lock(mutex_);
      std::swap(home, home_);
    }
    if (home) home->coroutines().end();
    return std::exchange(operation_, nullptr);
  }

  // The function goes before others have the resource.
  void clear() noexcept {
    turn_.function.reset();
    turn_.hold.reset();
  }

  home_ref<Home> note_cancelled() noexcept {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    return home_;
  }

  void cancel_here() noexcept {
    if (operation_) try {
        signal_.emit(asio::cancellation_type::terminal);
      } catch (...) {
        // No memory: it is not cancelled.
      }
  }

  const std::uint32_t epoch_;
  turn turn_;
  Operation* operation_ = nullptr;
  bool spawning_ = false;  // What ends now is seen by start().
  asio::cancellation_signal signal_;
  std::mutex mutex_;  // Guards the others.
  bool cancelled_ = false;
  home_ref<Home> home_;  // While it runs.
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_COROUTINE_STAY_HPP
