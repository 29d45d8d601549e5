// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_INVOKE_HPP
#define ASYNC_RESOURCE_DETAIL_INVOKE_HPP

#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/refusal.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// One use of a resource, from its submission to its completion, in one block of memory.
//
//   queued      owned by home's queue, which runs, abandons or fails it
//   returning   run, with the function destroyed at home, and on its way back (completion.hpp)
//   disposing   nobody received the result: queued once more, so that it dies at home
//
// Keeps home until it is clear that the result will not have to go back there.
template <class Home, class Function, class Outcome, class Handler>
class invoke_task final : public home_task, public completion<Handler, typename Home::inner_executor_type, Outcome> {
  using base = completion<Handler, typename Home::inner_executor_type, Outcome>;

 public:
  invoke_task(home_ref<Home> home, Function&& function, Handler&& handler)
      : base(std::move(handler), home->strand().get_inner_executor()),
        home_(std::move(home)),
        function_(std::move(function)) {}

  using base::give_up;

  void run(home_base& home) noexcept override {
    if (disposing_) return destroy();
    this->result().capture(std::move(*function_), static_cast<Home&>(home).resource());
    function_.reset();
    if constexpr (Outcome::is_trivial) home_ = {};
    this->deliver();
  }

  void abandon() noexcept override {
    if (disposing_) return destroy();
    function_.reset();
    this->give_up();
  }

  void fail(std::error_code error) noexcept override {
    if (disposing_) return destroy();
    function_.reset();
    this->result().set_error(error);
    this->deliver();
  }

 private:
  void on_delivered() noexcept override { home_ = {}; }

  void on_dropped() noexcept override {
    if constexpr (!Outcome::is_trivial)
      if (send_back()) return;
    destroy();
  }

  bool send_back() noexcept {
    disposing_ = true;
    try {
      const auto pin = home_->pin();
      return pin && home_->submit(*this);
    } catch (...) {
      return false;
    }
  }

  void destroy() noexcept override { base::free_block(*this); }

  home_ref<Home> home_;
  std::optional<Function> function_;
  bool disposing_ = false;
};

// The initiation of async_invoke: what it needs, until there is a handler.
template <class Home, class Function>
class initiate_invoke {
 public:
  using outcome_type = typename outcome_of_call<Function, typename Home::resource_type&>::type;
  using executor_type = typename Home::inner_executor_type;

  template <class F>
  initiate_invoke(home_ref<Home> home, F&& function) : home_(std::move(home)), function_(std::forward<F>(function)) {}

  executor_type get_executor() const noexcept { return home_->strand().get_inner_executor(); }

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    using task_type = invoke_task<Home, Function, outcome_type, handler_type>;

    handler_type local(std::forward<Handler>(handler));
    if (const context_pin pin = home_->pin()) {
      // The task takes the reference along, and what it does once submitted cannot be known here: no more of *this then.
      Home& home = *home_;
      const auto allocator = asio::get_associated_allocator(local);
      auto* const task = make_block<task_type>(allocator, std::move(home_), std::move(function_), std::move(local));
      try {
        if (home.submit(*task)) return;
      } catch (...) {
        task->give_up();
        throw;
      }
      return task->fail(errc::closed);
    }
    [[maybe_unused]] const Function unused = std::move(function_);
    // A handler that lived on the same context is destroyed, as that context would have done.
    if (!home_->was_on(asio::get_associated_executor(local, asio::system_executor())))
      refuse<outcome_type>(std::move(local), errc::closed);
  }

 private:
  home_ref<Home> home_;
  Function function_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_INVOKE_HPP
