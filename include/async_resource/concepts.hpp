// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_CONCEPTS_HPP
#define ASYNC_RESOURCE_CONCEPTS_HPP

#include <concepts>
#include <exception>
#include <functional>
#include <ranges>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/outcome.hpp>

namespace asyncres {
inline namespace v0 {

/// Says that a result which refers to something, instead of being it, may be carried away from the resource's strand.
/**
 * A pointer, a `std::reference_wrapper` or a view that a function returns most often points into the resource, which
 * must not be touched elsewhere. Specialise this with `true` for a type of which that is not so:
 * @code
 * template <> inline constexpr bool asyncres::may_leave_home<const my_static_table*> = true;
 * @endcode
 */
template <class T>
inline constexpr bool may_leave_home = false;

namespace detail {

template <class T>
inline constexpr bool is_awaitable = false;
template <class T, class Executor>
inline constexpr bool is_awaitable<asio::awaitable<T, Executor>> = true;

template <class T>
inline constexpr bool is_reference_wrapper = false;
template <class T>
inline constexpr bool is_reference_wrapper<std::reference_wrapper<T>> = true;

template <class T>
concept borrowed_view = (std::ranges::view<T> && std::ranges::borrowed_range<T>) ||
                        std::same_as<T, asio::const_buffer> || std::same_as<T, asio::mutable_buffer>;

template <class T>
concept refers_elsewhere = std::is_pointer_v<T> || is_reference_wrapper<T> || borrowed_view<T>;

template <class Function, class... Args>
concept plain_function = std::invocable<Function, Args...>;

template <class Function, class... Args>
concept error_code_function = !plain_function<Function, Args...> && std::invocable<Function, Args..., std::error_code&>;

template <class Function, class... Args>
concept operation_function = plain_function<Function, Args...> || error_code_function<Function, Args...>;

template <class Function, class... Args>
struct raw_result : std::invoke_result<Function, Args...> {};
template <class Function, class... Args>
  requires error_code_function<Function, Args...>
struct raw_result<Function, Args...> : std::invoke_result<Function, Args..., std::error_code&> {
};

// How a call of Function with Args ends. Asks for what the way back needs of the result.
template <class Function, class... Args>
class outcome_of_call {
  using raw = typename raw_result<Function, Args...>::type;
  using result = std::remove_cv_t<raw>;

  static_assert(!std::is_reference_v<raw>,
                "async_resource: the function returns a reference, most likely into the resource, which must not be "
                "touched elsewhere: return a copy (from a lambda: no -> auto&, no decltype(auto))");
  static_assert(may_leave_home<result> || !refers_elsewhere<result>,
                "async_resource: the function returns a pointer, reference_wrapper or borrowed view, most likely into "
                "the resource, which must not be touched elsewhere: return what it refers to (std::string for "
                "std::string_view), or specialise asyncres::may_leave_home for the type");
  static_assert(!is_awaitable<result>,
                "async_resource: the function is a coroutine: pass a plain function and co_await its result outside");
  static_assert(std::is_void_v<result> || std::is_reference_v<raw> || std::default_initializable<result>,
                "async_resource: the function's result cannot be default-constructed, and the handler needs one when "
                "the function fails: return a std::optional or a std::unique_ptr of it");
  static_assert(std::is_void_v<result> || std::is_reference_v<raw> || std::move_constructible<result>,
                "async_resource: the function's result cannot be moved, and has to be carried back: return a "
                "std::unique_ptr to it");

 public:
  using type = outcome<std::conditional_t<error_code_function<Function, Args...>, std::error_code, std::exception_ptr>,
                       std::remove_cvref_t<raw>>;
};

}  // namespace detail

/// A function that can be run against a resource: `function(resource)` or `function(resource, error_code)`.
/**
 * The function is moved from when it is called, with an lvalue of the resource. The first form that fits is taken.
 */
template <class Function, class Resource>
concept operation_on = detail::operation_function<std::decay_t<Function>, Resource&>;

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_CONCEPTS_HPP
