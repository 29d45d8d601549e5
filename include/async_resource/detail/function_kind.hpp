// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_FUNCTION_KIND_HPP
#define ASYNC_RESOURCE_DETAIL_FUNCTION_KIND_HPP

#include <concepts>
#include <cstdint>
#include <functional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/outcome.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The function of an operation that closes the resource: not called, since its turn comes twice, first to shut the gate
// behind it, then when the resource is gone (home_base::wait_for_close).
struct closing {
  close_mode mode;
};

template <class Function>
inline constexpr bool is_closing = std::is_same_v<Function, closing>;

// The function of an operation that waits for members of a pool to leave. Not called either: such an operation only
// ends.
struct pool_wait {};

// Whether it is one of the user's, and its operation counted and observed.
template <class Function>
inline constexpr bool is_use = !is_closing<Function> && !std::is_same_v<Function, pool_wait>;

// To find it closed is what was wanted.
template <class Function>
std::error_code as_refusal(std::error_code error) noexcept {
  return is_closing<Function> && error == errc::closed ? std::error_code() : error;
}

// A function that belongs to a lease, and so goes ahead of the queue.
template <class Function>
struct leased {
  Function function;
  std::uint32_t lease;

  template <class... Args>
    requires(std::invocable<Function, Args...>)
  decltype(auto) operator()(Args&&... args) { return std::invoke(std::move(function), std::forward<Args>(args)...); }
};

template <class Function>
inline constexpr bool is_leased = false;
template <class Function>
inline constexpr bool is_leased<leased<Function>> = true;

// How an operation is to be submitted: what its function says, which may have gone by then.
struct terms {
  close_mode mode{};
  std::uint32_t lease = 0;
};

template <class Function>
terms terms_of([[maybe_unused]] const Function& function) noexcept {
  if constexpr (is_closing<Function>)
    return {function.mode};
  else if constexpr (is_leased<Function>)
    return {{}, function.lease};
  else
    return {};
}

// Whether an operation may be queued: see home_occupancy::admit. What is a lease's needs no place.
template <class Function>
inline constexpr bool needs_admission = is_use<Function> && !is_leased<Function>;

template <class Function, class Home>
std::error_code admission([[maybe_unused]] Home& home) noexcept {
  if constexpr (needs_admission<Function>)
    return home.admit();
  else
    return {};
}

// It will not be, after all.
template <class Function, class Home>
void take_back_admission([[maybe_unused]] Home& home) noexcept {
  if constexpr (needs_admission<Function>) home.give_back_place();
}

// What is done as the last thing before an operation is submitted, when nothing can fail any more.
template <class Function, class Home, class Id>
void announce(Home& home, home_task& task, [[maybe_unused]] const Id& id, const terms& how) noexcept {
  if constexpr (is_closing<Function>) {
    home.begin_close();
    if (how.mode == close_mode::cancel) home.cancel();
  } else {
    home.stamp(task, id, how.lease);
  }
}

// How an operation with that function ends.
template <class Function, class Resource>
struct outcome_of : outcome_of_use<Function, Resource> {};
template <class Resource>
struct outcome_of<closing, Resource> {
  using type = outcome<std::error_code, void>;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_FUNCTION_KIND_HPP
