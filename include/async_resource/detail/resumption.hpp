// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_RESUMPTION_HPP
#define ASYNC_RESOURCE_DETAIL_RESUMPTION_HPP

#include <coroutine>
#include <optional>
#include <tuple>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/in_frame.hpp>
#include <async_resource/detail/invoke.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/detail/refusal.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The handler that resumes a coroutine of any type, on an executor that it keeps at work.
template <class Executor, class Completion>
class resumption {
 public:
  using executor_type = Executor;

  // With the executor's context pinned.
  resumption(std::coroutine_handle<> coroutine, std::optional<Completion>& completion, const Executor& executor)
      : coroutine_(coroutine),
        completion_(&completion),
        executor_(executor),
        work_(work_of<Executor>::start(executor)) {}

  executor_type get_executor() const noexcept { return executor_; }

  template <class... Args>
  void operator()(Args&&... args) {
    completion_->emplace(std::forward<Args>(args)...);
    coroutine_.resume();
  }

 private:
  std::coroutine_handle<> coroutine_;
  std::optional<Completion>* completion_;
  Executor executor_;
  work_t<Executor> work_;
};

// How a coroutine that is not an asio::awaitable awaits an operation on a resource: in place, without a block, and
// resumed on the inner executor. It must not be destroyed while it is suspended here; if the operation is abandoned, it
// is never resumed.
template <class Disposition, class... Results, class Home, class Function>
class awaiter<void(Disposition, Results...), initiate_invoke<Home, Function>> {
  using initiation = initiate_invoke<Home, Function>;
  using completion_type = std::tuple<Disposition, Results...>;
  template <class Executor>
  using handler = resumption<Executor, completion_type>;

 public:
  explicit awaiter(operation<void(Disposition, Results...), initiation>&& op)
      : home_(*op.initiation().home().operator->()), invocation_(op.initiation().home(), op.initiation().function()) {}

  bool await_ready() const noexcept { return false; }

  // Not inlined: Clang before 17 may keep what it has on the stack in the coroutine's frame (LLVM issue 56301), which
  // may be running elsewhere, or gone.
  [[gnu::noinline]] void await_suspend(std::coroutine_handle<> coroutine) {
    std::optional<context_pin> pin;
    if (home_.pin(pin))
      invocation_.start({coroutine, completion_, home_.inner_executor()}, pin);
    else
      turn_away({coroutine, completion_, asio::system_executor()});
  }

  typename await_result<Results...>::type await_resume() {
    throw_if_failed(std::get<0>(*completion_));
    if constexpr (sizeof...(Results) == 1) return std::move(std::get<1>(*completion_));
  }

 private:
  // Home's context has been shut down.
  void turn_away(handler<asio::system_executor> resume) {
    if constexpr (!is_closing<Function>) home_.note_turned_away({});
    refuse<typename initiation::outcome_type>(std::move(resume), as_refusal<Function>(errc::closed));
  }

  Home& home_;  // There for as long as the invocation has not been started.
  std::optional<completion_type> completion_;
  typename initiation::template in_frame_type<handler<typename Home::inner_executor_type>> invocation_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_RESUMPTION_HPP
