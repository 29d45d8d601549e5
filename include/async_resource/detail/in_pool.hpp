// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_IN_POOL_HPP
#define ASYNC_RESOURCE_DETAIL_IN_POOL_HPP

#include <memory>
#include <optional>
#include <system_error>

#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/function_kind.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/lease_hold.hpp>
#include <async_resource/detail/observation.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Where an operation runs, as its parts know it: at whichever member of a pool takes it. See at_home.
template <class Pool>
class in_pool {
 public:
  using home_type = typename Pool::home_type;
  using owner = std::shared_ptr<Pool>;
  using id_type = operation_id<typename Pool::observer_type>;

  explicit in_pool(const owner& pool) noexcept : pool_(pool.get()) {}

  template <class Function>
  home_type& arrive(home_base& base, Function& function) noexcept {
    home_ = static_cast<home_type*>(&base);
    tell_home(function, *home_);
    return *home_;
  }
  void ask_running() noexcept { home_->ask_running(); }

  // See at_home.
  template <class Function>
  auto submission(const owner& there, const Function&) const noexcept {
    return [there, id = id_](home_task& task, std::optional<context_pin>& pin) -> std::optional<std::error_code> {
      there->note_queued(id);
      if (const std::error_code error = there->submit(task, pin)) return error;
      return std::nullopt;
    };
  }

  const id_type& id() const noexcept { return id_; }

  template <class Function>
  void take_back_admission() noexcept {
    if constexpr (is_use<Function>) pool_->give_back_place();
  }
  template <class Function>
  void note_turned_away() noexcept {
    if constexpr (is_use<Function>) pool_->note_turned_away(id_);
  }
  template <class Function>
  void note_refused([[maybe_unused]] std::error_code error) noexcept {
    if constexpr (is_use<Function>) pool_->note_refused(id_, error);
  }

 private:
  Pool* pool_;
  home_type* home_ = nullptr;  // Where it runs.
  [[no_unique_address]] id_type id_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_IN_POOL_HPP
