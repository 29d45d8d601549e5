// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_DOUBLE_DISPATCH_HPP
#define ASYNC_RESOURCE_DETAIL_DOUBLE_DISPATCH_HPP

#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/blocked_thread.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/function_holder.hpp>
#include <async_resource/detail/one_shot.hpp>
#include <async_resource/detail/refusal.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The executor itself, or what a strand is made of.
template <class Executor>
const Executor& beneath_strand(const Executor& executor) noexcept {
  return executor;
}
template <class Executor>
Executor beneath_strand(const asio::strand<Executor>& strand) noexcept {
  return strand.get_inner_executor();
}

template <class Executor>
using beneath_strand_t = std::decay_t<decltype(detail::beneath_strand(std::declval<const Executor&>()))>;

// A function on its way to an executor, and back: the same block serves both ways.
template <class Fallback, class Function, class Outcome, class Handler>
class double_dispatch_task final : private function_holder<Function>, public completion<Handler, Fallback, Outcome> {
  using base = completion<Handler, Fallback, Outcome>;

 public:
  double_dispatch_task(const Fallback& fallback, Function&& function, Handler&& handler)
      : function_holder<Function>{std::move(function)}, base(std::move(handler), fallback) {}

  template <class Executor>
  void send_to(const Executor& executor) {
    this->enrol();
    post_to(executor, one_shot<double_dispatch_task, &double_dispatch_task::run, &double_dispatch_task::abandon>(*this),
            this->memory());
  }

 private:
  void run() {
    this->result().capture(std::move(*this->function_));
    this->function_.reset();
    this->deliver();
  }

  void abandon() noexcept {
    this->function_.reset();
    this->give_up();
  }

  void on_dropped() noexcept override { destroy(); }
  void destroy() noexcept override { base::free_block(*this); }
};

// The initiation of double_dispatch: what it needs, until there is a handler.
template <class Executor, class Function>
class initiate_double_dispatch {
 public:
  using outcome_type = typename outcome_of_call<Function>::type;
  using executor_type = beneath_strand_t<Executor>;

  template <class F>
  initiate_double_dispatch(const Executor& executor, F&& function)
      : executor_(executor), function_(std::forward<F>(function)) {}

  executor_type get_executor() const noexcept { return detail::beneath_strand(executor_); }

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    using task_type = double_dispatch_task<executor_type, Function, outcome_type, handler_type>;

    handler_type local(std::forward<Handler>(handler));
    if constexpr (is_strand<Executor>)
      if (is_waited_for_here(local) && executor_.running_in_this_thread())
        return refuse<outcome_type>(std::move(local), errc::would_deadlock);
    const auto allocator = task_type::allocator_of(local);
    const Executor executor =
        std::move(executor_);  // The task may be through, and this destroyed, before send_to() is.
    auto* const task = make_block<task_type>(allocator, executor_type(detail::beneath_strand(executor)),
                                             std::move(function_), std::move(local));
    task->send_to(executor);
  }

 private:
  Executor executor_;
  Function function_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_DOUBLE_DISPATCH_HPP
