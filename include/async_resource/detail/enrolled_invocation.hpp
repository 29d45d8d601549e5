// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP
#define ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP

#include <system_error>
#include <utility>

#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/function_holder.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// One use of a resource whose handler has an executor that cannot post: see completion.hpp for how that is reached. It
// ends at home as far as homes know (origin() is null), and is enrolled with the handler's context instead.
//
//   queued      owned by home's queue, which runs, abandons or fails it
//   returning   run, with the function destroyed at home, and on its way back (completion.hpp)
//   disposing   nobody received the result: queued once more, so that it dies at home
template <class Home, class Function, class Outcome, class Handler>
class enrolled_invocation final : public home_task,
                                  private function_holder<Function>,
                                  public completion<Handler, typename Home::inner_executor_type, Outcome> {
  using base = completion<Handler, typename Home::inner_executor_type, Outcome>;

 public:
  // With home's context pinned.
  enrolled_invocation(home_ref<Home>&& home, Function&& function, Handler&& handler)
      : function_holder<Function>{std::move(function)},
        base(std::move(handler), home->inner_executor()),
        home_(std::move(home)) {}

  void start() {
    this->enrol();
    const home_ref<Home> home = home_;
    try {
      if (!home->submit(*this)) fail(errc::closed, nullptr);
    } catch (...) {
      this->give_up();
      throw;
    }
  }

  void run(home_base& home) noexcept override {
    const user_code now(&home);
    if (disposing_) return destroy();
    this->result().capture(std::move(*this->function_), static_cast<Home&>(home).resource());
    this->function_.reset();
    if constexpr (Outcome::is_trivial) home_ = {};
    this->deliver();
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
    this->result().set_error(error);
    this->deliver();
  }

 private:
  void on_dropped() noexcept override {
    if constexpr (!Outcome::is_trivial) {
      disposing_ = true;
      if (home_->try_submit(*this)) return;
    }
    destroy();
  }

  void destroy() noexcept override { base::free_block(*this); }

  home_ref<Home> home_;  // Until it is clear that the result will not have to go back there.
  bool disposing_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_ENROLLED_INVOCATION_HPP
