// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_MAKES_HPP
#define ASYNC_RESOURCE_DETAIL_MAKES_HPP

#include <type_traits>
#include <utility>

namespace asyncres {
inline namespace v0 {
namespace detail {

template <class T, class... Args>
concept makes_with_braces = requires(Args&&... args) {
  T{std::forward<Args>(args)...};
};

template <class T, class... Args>
inline constexpr bool is_made_of = std::is_constructible_v<T, Args...>;
template <class T, class... Args>
  requires std::is_aggregate_v<T>
inline constexpr bool is_made_of<T, Args...> = std::is_constructible_v<T, Args...> || makes_with_braces<T, Args...>;

// T(args...), or T{args...} for an aggregate.
template <class T, class... Args>
concept makes = is_made_of<T, Args...>;

// That T, in place: braces only where parentheses cannot.
template <class T, class... Args>
  requires(makes<T, Args...>)
T make_of(Args&&... args) {
  if constexpr (std::is_constructible_v<T, Args...>)
    return T(std::forward<Args>(args)...);
  else
    return T{std::forward<Args>(args)...};
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_MAKES_HPP
