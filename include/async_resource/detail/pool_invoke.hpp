// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_POOL_INVOKE_HPP
#define ASYNC_RESOURCE_DETAIL_POOL_INVOKE_HPP

#include <cstddef>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/blocked_thread.hpp>
#include <async_resource/detail/closing.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/enrolled_invocation.hpp>
#include <async_resource/detail/in_pool.hpp>
#include <async_resource/detail/invoke.hpp>
#include <async_resource/detail/outcome.hpp>
#include <async_resource/detail/refusal.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What the initiations of a pool's operations have in common.
template <class Pool, class Outcome>
class pool_initiation {
 public:
  using outcome_type = Outcome;
  using executor_type = typename Pool::inner_executor_type;

  executor_type get_executor() const noexcept { return pool_->inner_executor(); }

 protected:
  explicit pool_initiation(std::shared_ptr<Pool> pool) noexcept : pool_(std::move(pool)) {}
  ~pool_initiation() = default;
  pool_initiation(pool_initiation&&) = default;
  pool_initiation(const pool_initiation&) = default;
  pool_initiation& operator=(pool_initiation&&) = default;
  pool_initiation& operator=(const pool_initiation&) = default;

  template <class Handler>
  static bool would_deadlock(const Handler& handler, Pool& pool) noexcept {
    return is_waited_for_here(handler) && pool.is_here();
  }

  template <class Handler>
  static void reject(Pool& pool, Handler handler, std::error_code error) {
    if constexpr (has_immediate_executor<Handler>) {
      std::optional<context_pin> pin;
      if (pool.pin(pin)) return refuse_at_once<Outcome>(std::move(handler), error, pool.inner_executor(), pin);
    }
    refuse<Outcome>(std::move(handler), error);
  }

  std::shared_ptr<Pool> pool_;
};

template <class Function, class Resource>
using pool_outcome_t = typename outcome_of_use<Function, Resource>::type;

// The initiation of async_invoke.
template <class Pool, class Function>
class initiate_pool_invoke : public pool_initiation<Pool, pool_outcome_t<Function, typename Pool::resource_type>> {
  using base = pool_initiation<Pool, pool_outcome_t<Function, typename Pool::resource_type>>;

 public:
  using typename base::outcome_type;

  template <class F>
  initiate_pool_invoke(std::shared_ptr<Pool> pool, F&& function)
      : base(std::move(pool)), function_(std::forward<F>(function)) {}

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    using task_type = enrolled_invocation<in_pool<Pool>, Function, outcome_type, handler_type>;

    handler_type local(std::forward<Handler>(handler));
    const std::shared_ptr<Pool> pool = std::move(this->pool_);
    if (base::would_deadlock(local, *pool)) return reject(*pool, std::move(local), errc::would_deadlock);
    const std::error_code refused = pool->admit();
    if (refused && has_immediate_executor<handler_type>) return reject(*pool, std::move(local), refused);

    const auto allocator = asio::get_associated_allocator(local);
    place_guard place{refused ? nullptr : pool.get()};
    std::optional<context_pin> pin;
    if (!pool->pin(pin)) return reject(*pool, std::move(local), errc::closed);
    auto* const task = make_block<task_type>(allocator, std::shared_ptr(pool), std::move(function_), std::move(local));
    place.pool = nullptr;
    if (refused) return task->reject(refused, pin);
    task->start(pin, [&pool](home_task& queued, std::optional<context_pin>& held) -> std::optional<std::error_code> {
      if (const std::error_code error = pool->submit(queued, held)) return error;
      return std::nullopt;
    });
  }

 private:
  // What admission gave, until there is something to be queued.
  struct place_guard {
    Pool* pool;
    ~place_guard() {
      if (pool) pool->give_back_place();
    }
  };

  template <class Handler>
  void reject(Pool& pool, Handler handler, std::error_code error) {
    [[maybe_unused]] const Function unused = std::move(function_);
    pool.note_turned_away();
    base::reject(pool, std::move(handler), error);
  }

  Function function_;
};

// The initiation of async_invoke_on: that of the member itself, whose pump is to come behind.
template <class Pool, class Function>
class initiate_pool_invoke_on : public pool_initiation<Pool, pool_outcome_t<Function, typename Pool::resource_type>> {
  using base = pool_initiation<Pool, pool_outcome_t<Function, typename Pool::resource_type>>;
  using member_type = typename Pool::member_type;

 public:
  template <class F>
  initiate_pool_invoke_on(std::shared_ptr<Pool> pool, std::size_t number, F&& function)
      : base(std::move(pool)), number_(number), function_(std::forward<F>(function)) {}

  template <class Handler>
  void operator()(Handler&& handler) {
    const std::shared_ptr<Pool> pool = std::move(this->pool_);
    const std::shared_ptr<member_type> member = pool->enter(number_);
    // Then the pool refuses any other operation, too, and does so here.
    if (!member)
      return initiate_pool_invoke<Pool, Function>(pool, std::move(function_))(std::forward<Handler>(handler));
    const entry entering{*pool, *member};
    initiate_invoke<typename Pool::home_type, Function>(member->home(),
                                                        std::move(function_))(std::forward<Handler>(handler));
  }

 private:
  struct entry {
    Pool& pool;
    member_type& member;
    ~entry() { pool.entered(member); }
  };

  std::size_t number_;
  Function function_;
};

using pool_wait_outcome = outcome<std::error_code, void>;

// The initiation of an operation that does something to the pool, `action(pool, pin)`, and then waits for members to
// leave.
template <class Pool, class Action>
class initiate_pool_change : public pool_initiation<Pool, pool_wait_outcome> {
  using base = pool_initiation<Pool, pool_wait_outcome>;

 public:
  initiate_pool_change(std::shared_ptr<Pool> pool, Action action) : base(std::move(pool)), action_(std::move(action)) {}

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    using task_type = enrolled_invocation<in_pool<Pool>, pool_wait, pool_wait_outcome, handler_type>;

    handler_type local(std::forward<Handler>(handler));
    const Action action = action_;
    const std::shared_ptr<Pool> pool = std::move(this->pool_);
    if (base::would_deadlock(local, *pool)) return base::reject(*pool, std::move(local), errc::would_deadlock);
    const auto allocator = asio::get_associated_allocator(local);
    std::optional<context_pin> pin;
    if (!pool->pin(pin)) return base::reject(*pool, std::move(local), action.with_pool_gone());
    auto* const task = make_block<task_type>(allocator, std::shared_ptr(pool), pool_wait(), std::move(local));
    task->start(pin, [&](home_task& waiting, std::optional<context_pin>& held) -> std::optional<std::error_code> {
      const std::error_code error = action(*pool, held);
      if (!error && pool->wait(waiting)) return std::nullopt;
      return error;
    });
  }

 private:
  Action action_;
};

struct close_pool {
  close_mode mode;

  template <class Pool>
  std::error_code operator()(Pool& pool, std::optional<context_pin>& held) const noexcept {
    pool.close(mode, held);
    return {};
  }
  static std::error_code with_pool_gone() noexcept { return {}; }
};

struct resize_pool {
  std::size_t size;

  template <class Pool>
  std::error_code operator()(Pool& pool, std::optional<context_pin>& held) const {
    return pool.resize(size, held);
  }
  static std::error_code with_pool_gone() noexcept { return errc::closed; }
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_POOL_INVOKE_HPP
