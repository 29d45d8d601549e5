// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKENS_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKENS_HPP

#include <async_resource/options.hpp>

#include <asio.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include "support/contexts.hpp"
#include "support/contract_kinds.hpp"
#include "support/counting_allocator.hpp"

namespace testing {

// What a completion token is tried on: a resource, and a context for handlers, with what is told of one operation. Home
// is a context that the test runs, or has a thread of its own, which is held until released.
template <class Kind>
class token_bench {
  static constexpr bool has_lease = std::is_same_v<Kind, on_lease>;

 public:
  using handle = typename Kind::template handle<int>;
  // What functions are submitted to.
  using door_type = std::conditional_t<has_lease, lease_door<int>, handle>;
  using function = std::function<int(int&)>;

  explicit token_bench(bool threaded, asyncres::resource_options options = {}) {
    if (threaded)
      pool_.emplace(1);
    else
      home_.emplace();
    if constexpr (std::is_same_v<Kind, on_pool>)
      resource.emplace(
          home_executor(), 1, [](std::size_t) { return 0; }, options);
    else
      resource.emplace(home_executor(), options, std::in_place, 0);
    if constexpr (has_lease) take_lease();
    if (threaded) hold();
  }
  ~token_bench() { release(); }

  door_type& door() {
    if constexpr (has_lease)
      return lease_;
    else
      return *resource;
  }
  bool at_home() const { return is_at_home(*resource); }

  // The handlers' context: while home stands still, as far as that goes.
  void poll_callers() { poll(callers); }
  // All, to the end. Work on the handlers' context is tracked, or that would return too early.
  void run() {
    release();
    while (home_ && poll(*home_) + poll(callers) > 0) continue;
    callers.restart();
    callers.run();
    if (!pool_) times_while_open = times;
    if constexpr (has_lease) {
      lease_.end();
      while (home_ && poll(*home_) + poll(callers) > 0) continue;
    }
    if (pool_) pool_->join();
    if (auto f = std::exchange(finish, nullptr)) f();
  }
  void destroy_home() {
    if (pool_) pool_->stop();
    release();
    home_.reset();
    pool_.reset();
  }

  void tell(std::error_code code, int value) {
    ++times;
    told = code;
    result = value;
    in_callers = callers.get_executor().running_in_this_thread();
    in_home = (home_ && home_->get_executor().running_in_this_thread()) ||
              (pool_ && pool_->get_executor().running_in_this_thread());
    while_held = in_home && at_home();
    inside = starting;
  }
  void tell(const std::exception_ptr& e, int value) {
    try {
      if (e) std::rethrow_exception(e);
      tell(std::error_code(), value);
    } catch (const std::system_error& error) {
      tell(error.code(), value);
    }
  }

  // What tells it, on the callers' context, or where it will.
  auto unbound() {
    return [this](auto e, int value) { this->tell(e, value); };
  }
  auto bound() { return asio::bind_executor(callers, unbound()); }
  auto slot() { return signal.slot(); }

  asio::any_io_executor home_executor() {
    if (home_) return home_->get_executor();
    return pool_->get_executor();
  }

  asio::io_context callers;
  asio::steady_timer never{callers, asio::steady_timer::time_point::max()};
  asio::steady_timer now{callers, asio::steady_timer::time_point::min()};
  asio::cancellation_signal signal;
  allocation_count count;
  std::function<void()> finish;  // Where somebody has to ask.

  inline static thread_local bool starting = false;  // This thread is in an initiating function.
  int times = 0, times_while_open = 0;               // The latter if the test runs home, before it ends a lease.
  std::optional<std::error_code> told;
  int result = 0;
  bool in_callers = false, in_home = false, while_held = false, inside = false;

  std::optional<handle> resource;

 private:
  static std::size_t poll(asio::io_context& context) {
    context.restart();
    return context.poll();
  }

  void take_lease() {
    const auto receive = [this](const std::exception_ptr&, typename door_type::lease held) {
      lease_ = door_type(std::move(held));
    };
    resource->async_lease(asio::bind_executor(callers, receive));
    if (home_) poll(*home_);
    callers.run();
  }
  void hold() {
    door().async_invoke([this](int&) { held_.set(), (void)released_.wait(); }, asio::detached);
    (void)held_.wait();
  }
  void release() {
    if (pool_ && !std::exchange(was_released_, true)) released_.set();
  }

  std::conditional_t<has_lease, door_type, std::nullptr_t> lease_{};
  event held_, released_;
  bool was_released_ = false;
  std::optional<asio::io_context> home_;
  std::optional<asio::thread_pool> pool_;
};

// A token, or something made of several, by the way in which it starts a function and has its outcome told.
template <class Bench>
struct token_row {
  enum class place { callers, home, anywhere };

  const char* name;
  void (*start)(Bench&, typename Bench::function);
  place where = place::callers;  // It is told.
  bool cancels = false;          // It has the bench's cancellation slot.
  bool at_once = true;           // What is refused or cancelled is told without home's help.
  bool tells = true;
  bool tells_failures = true;
  bool immediate = false;        // A refusal is told inside the initiating function.
  bool needs_home = false;       // Cannot even be tried with home's context gone.
  bool can_be_abandoned = true;  // By home's context. Else something of it is left, which that must outlive.
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_TOKENS_HPP
