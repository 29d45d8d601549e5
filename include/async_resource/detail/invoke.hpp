// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_INVOKE_HPP
#define ASYNC_RESOURCE_DETAIL_INVOKE_HPP

#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/function_holder.hpp>
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
template <class Home, class Function, class Outcome, class Handler>
class invoke_task final : public home_task,
                          private function_holder<Function>,
                          public completion<Handler, typename Home::inner_executor_type, Outcome> {
  using base = completion<Handler, typename Home::inner_executor_type, Outcome>;

 public:
  // With home's context pinned.
  invoke_task(const home_ref<Home>& home, Function&& function, Handler&& handler)
      : function_holder<Function>{std::move(function)}, base(std::move(handler), home->inner_executor()), home_(home) {}

  using base::give_up;

  void run(home_base& home) noexcept override {
    if (disposing_) return destroy();
    this->result().capture(std::move(*this->function_), static_cast<Home&>(home).resource());
    this->function_.reset();
    if constexpr (Outcome::is_trivial) home_ = {};
    this->deliver();
  }

  void abandon() noexcept override {
    if (disposing_) return destroy();
    this->function_.reset();
    this->give_up();
  }

  void fail(std::error_code error) noexcept override {
    if (disposing_) return destroy();
    this->function_.reset();
    this->result().set_error(error);
    this->deliver();
  }

 private:
  void on_dropped() noexcept override {
    if constexpr (!Outcome::is_trivial)
      if (send_back()) return;
    destroy();
  }

  bool send_back() noexcept {
    disposing_ = true;
    try {
      return home_->submit(*this);
    } catch (...) {
      return false;
    }
  }

  void destroy() noexcept override { base::free_block(*this); }

  home_ref<Home> home_;  // Until it is clear that the result will not have to go back there.
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

  executor_type get_executor() const noexcept { return home_->inner_executor(); }

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    using task_type = invoke_task<Home, Function, outcome_type, handler_type>;

    // Once the task is submitted it may be through, and this destroyed: the reference is moved out.
    const home_ref<Home> home = std::move(home_);
    handler_type local(std::forward<Handler>(handler));
    const auto allocator = asio::get_associated_allocator(local);
    task_type* task = nullptr;
    if (const context_pin pin = home->pin())
      task = make_block<task_type>(allocator, home, std::move(function_), std::move(local));
    if (!task) return reject(std::move(local));

    task->enrol();
    try {
      if (!home->submit(*task)) task->fail(errc::closed);
    } catch (...) {
      task->give_up();
      throw;
    }
  }

 private:
  template <class Handler>
  void reject(Handler handler) {
    [[maybe_unused]] const Function unused = std::move(function_);
    refuse<outcome_type>(std::move(handler), errc::closed);
  }

  home_ref<Home> home_;
  Function function_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_INVOKE_HPP
