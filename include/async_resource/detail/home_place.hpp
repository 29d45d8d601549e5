// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_PLACE_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_PLACE_HPP

#include <concepts>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/makes.hpp>
#include <async_resource/detail/tenant.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

template <class T>
inline constexpr bool is_execution_context = std::is_base_of_v<asio::execution_context, T>;

template <class T>
concept has_executor_type = requires {
  typename T::executor_type;
};

template <class T>
concept execution_context = is_execution_context<std::remove_cvref_t<T>> && has_executor_type<std::remove_cvref_t<T>>;

template <class T>
concept strand = is_strand<std::remove_cvref_t<T>>;

// The executor that a strand made there is made of: of a context or a strand, theirs.
template <class E>
struct executor_at {
  using type = E;
};
template <execution_context E>
struct executor_at<E> {
  using type = typename E::executor_type;
};
template <strand E>
struct executor_at<E> {
  using type = typename E::inner_executor_type;
};
template <class E>
using executor_of = typename executor_at<std::remove_cvref_t<E>>::type;

// A context that gives its executor to whoever refers to it like this: most do not to whom they are const.
template <class E, class Executor>
concept context_for = execution_context<E> && requires(E&& context) {
  { context.get_executor() } -> std::convertible_to<Executor>;
};

template <class E, class Executor>
concept strand_for = strand<E> && std::is_convertible_v<executor_of<E>, Executor>;

template <class E>
concept home_place = context_for<E, executor_of<E>> || asio::execution::executor<std::remove_cvref_t<E>>;

// Where a home made of Executor can be: see the constructor of async_resource.
template <class E, class Executor>
concept home_for = std::is_convertible_v<E, Executor> || context_for<E, Executor> || strand_for<E, Executor>;

template <class E, class Executor, class Resource, class... Args>
concept can_house = home_for<E, Executor> && makes<Resource, Args...>;

template <class E, class Executor, class Resource, class Factory>
concept can_house_product = home_for<E, Executor> && makes_resource<Factory, Resource>;

// Where a home is: on a new strand of the executor. An erased executor that holds a strand is shared: what runs there
// is alone already, and one strand on another would allocate.
template <class Executor>
home_site<Executor> site_on(const Executor& executor) {
  using strand_type = posting_strand_t<Executor>;
  if constexpr (std::same_as<Executor, asio::any_io_executor>)
    return {visit_concrete(executor,
                           []<class Concrete>(const Concrete& concrete) -> strand_type {
                             if constexpr (is_one_of<asio::strand<Concrete>, strand_type>)
                               return asio::strand<Concrete>(concrete);
                             else if constexpr (is_one_of<Concrete, strand_type>)
                               return concrete;
                             else
                               return asio::strand<asio::any_io_executor>(concrete);
                           }),
            executor};
  else
    return {asio::strand<Executor>(executor), executor};
}

// The same on a strand of its own also then: on what that strand is made of.
template <class Executor>
home_site<Executor> site_apart_on(const Executor& executor) {
  if constexpr (std::same_as<Executor, asio::any_io_executor>)
    return {visit_concrete(executor,
                           []<class Concrete>(const Concrete& concrete) {
                             if constexpr (is_strand<Concrete>)
                               return site_on<Executor>(concrete.get_inner_executor()).strand;
                             else
                               return site_on<Executor>(concrete).strand;
                           }),
            executor};
  else
    return site_on<Executor>(executor);
}

// On a strand, which is then shared.
template <class Executor>
home_site<Executor> site_of(const asio::strand<Executor>& strand) {
  return {strand, strand.get_inner_executor()};
}

template <class Executor, home_for<Executor> E>
home_site<Executor> site_at(E&& where) {
  if constexpr (std::is_convertible_v<E, Executor>)
    return site_on<Executor>(std::forward<E>(where));
  else if constexpr (execution_context<E>)
    return site_on<Executor>(where.get_executor());
  else
    return site_of(asio::strand<Executor>(std::forward<E>(where)));
}

template <home_place E>
home_site<executor_of<E>> share_or_make_site(E&& where) {
  if constexpr (strand<E>)
    return site_of(asio::strand<executor_of<E>>(std::forward<E>(where)));
  else
    return site_at<executor_of<E>>(std::forward<E>(where));
}

struct on_site_t {};
inline constexpr on_site_t on_site{};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_PLACE_HPP
