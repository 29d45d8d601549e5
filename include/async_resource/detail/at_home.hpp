// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_AT_HOME_HPP
#define ASYNC_RESOURCE_DETAIL_AT_HOME_HPP

#include <optional>
#include <system_error>

#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/observation.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Where an operation runs, as its parts know it: at one home. See in_pool for the other. Does not own it.
template <class Home>
class at_home {
 public:
  using home_type = Home;
  using owner = home_ref<Home>;
  using id_type = operation_id<typename Home::observer_type>;

  explicit at_home(const owner& home, const id_type& id = {}) noexcept : home_(&*home), id_(id) {}

  // There, before the function is called.
  template <class Function>
  Home& arrive(home_base&, Function&) noexcept {
    return *home_;
  }
  void ask_running() noexcept { home_->ask_running(); }
  const id_type& id() const noexcept { return id_; }

  // What submits the task of an operation with that function, or says with what it ends instead. Owns home: the
  // operation may be through, and destroyed, meanwhile.
  template <class Function>
  auto submission(const owner& there, const Function& function) const noexcept {
    return [there, id = id_, how = terms_of(function)](
               home_task& task, std::optional<context_pin>& pin) -> std::optional<std::error_code> {
      announce<Function>(*there, task, id, how);
      if (!there->submit(task, pin)) return errc::closed;
      if (const auto limit = there->wait_limit()) limit->arm();
      return std::nullopt;
    };
  }

  // An operation with that function is not queued after all; was not, or ended in the queue, with that error.
  template <class Function>
  void take_back_admission() noexcept {
    detail::take_back_admission<Function>(*home_);
  }
  template <class Function>
  void note_turned_away() noexcept {
    if constexpr (is_use<Function>) home_->note_turned_away(id_);
  }
  template <class Function>
  void note_refused([[maybe_unused]] std::error_code error) noexcept {
    if constexpr (is_use<Function>) home_->note_refused(id_, error);
  }

 private:
  Home* home_;
  [[no_unique_address]] id_type id_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_AT_HOME_HPP
