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

#include <async_resource/cancellation_view.hpp>
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

// Names nothing, so that only argument-dependent lookup finds anything.
namespace adl {

void interrupt() = delete;
void finish_interrupt() = delete;
void enter_batch() = delete;
void leave_batch() = delete;
void rollback() = delete;

template <class Resource>
concept has_interrupt = requires(Resource& resource) {
  interrupt(resource);
};
template <class Resource>
concept has_finish_interrupt = requires(Resource& resource) {
  finish_interrupt(resource);
};

template <class Resource>
concept has_batches = requires(Resource& resource) {
  enter_batch(resource);
  leave_batch(resource);
};
template <class Resource>
concept has_rollback = requires(Resource& resource) {
  rollback(resource);
};

template <has_interrupt Resource>
void call_interrupt(Resource& resource) {
  interrupt(resource);
}
template <has_finish_interrupt Resource>
void call_finish_interrupt(Resource& resource) {
  finish_interrupt(resource);
}
template <has_batches Resource>
void call_enter_batch(Resource& resource) {
  enter_batch(resource);
}
template <has_batches Resource>
void call_leave_batch(Resource& resource) {
  leave_batch(resource);
}
template <has_rollback Resource>
void call_rollback(Resource& resource) {
  rollback(resource);
}

}  // namespace adl

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

template <class Function>
concept error_code_function = !std::invocable<Function> && std::invocable<Function, std::error_code&>;

template <class Function>
concept operation_function = std::invocable<Function> || error_code_function<Function>;

// What a function comes to that returns Raw, or sets an error_code as well. Asks for what the way back needs of the
// result.
template <class Raw, bool SetsErrorCode>
class checked_outcome {
  using result = std::remove_cv_t<Raw>;

  static_assert(!std::is_reference_v<Raw>,
                "async_resource: the function returns a reference, most likely into the resource, which must not be "
                "touched elsewhere: return a copy (from a lambda: no -> auto&, no decltype(auto))");
  static_assert(may_leave_home<result> || !refers_elsewhere<result>,
                "async_resource: the function returns a pointer, reference_wrapper or borrowed view, most likely into "
                "the resource, which must not be touched elsewhere: return what it refers to (std::string for "
                "std::string_view), or specialise asyncres::may_leave_home for the type");
  static_assert(!is_awaitable<result>,
                "async_resource: the function is a coroutine: pass a plain function and co_await its result outside");
  static_assert(std::is_void_v<result> || std::is_reference_v<Raw> || std::default_initializable<result>,
                "async_resource: the function's result cannot be default-constructed, and the handler needs one when "
                "the function fails: return a std::optional or a std::unique_ptr of it");
  static_assert(std::is_void_v<result> || std::is_reference_v<Raw> || std::move_constructible<result>,
                "async_resource: the function's result cannot be moved, and has to be carried back: return a "
                "std::unique_ptr to it");

 public:
  using type =
      outcome<std::conditional_t<SetsErrorCode, std::error_code, std::exception_ptr>, std::remove_cvref_t<Raw>>;
};

// How a call of Function ends, with nothing but an error_code if it takes one.
template <class Function>
struct outcome_of_call : checked_outcome<std::invoke_result_t<Function>, false> {};
template <error_code_function Function>
struct outcome_of_call<Function> : checked_outcome<std::invoke_result_t<Function, std::error_code&>, true> {};

// How a function is called with a resource: the first form that fits.
template <class Function, class Resource>
struct use_form {
  static constexpr bool fits = false;
};
template <class Function, class Resource>
  requires std::invocable<Function, Resource&>
struct use_form<Function, Resource> {
  static constexpr bool fits = true, has_view = false, has_code = false;
  using raw_result = std::invoke_result_t<Function, Resource&>;
};
template <class Function, class Resource>
  requires(!std::invocable<Function, Resource&> && std::invocable<Function, Resource&, cancellation_view>)
struct use_form<Function, Resource> {
  static constexpr bool fits = true, has_view = true, has_code = false;
  using raw_result = std::invoke_result_t<Function, Resource&, cancellation_view>;
};
template <class Function, class Resource>
  requires(!std::invocable<Function, Resource&> && !std::invocable<Function, Resource&, cancellation_view> &&
           std::invocable<Function, Resource&, std::error_code&>)
struct use_form<Function, Resource> {
  static constexpr bool fits = true, has_view = false, has_code = true;
  using raw_result = std::invoke_result_t<Function, Resource&, std::error_code&>;
};
template <class Function, class Resource>
  requires(!std::invocable<Function, Resource&> && !std::invocable<Function, Resource&, cancellation_view> &&
           !std::invocable<Function, Resource&, std::error_code&> &&
           std::invocable<Function, Resource&, std::error_code&, cancellation_view>)
struct use_form<Function, Resource> {
  static constexpr bool fits = true, has_view = true, has_code = true;
  using raw_result = std::invoke_result_t<Function, Resource&, std::error_code&, cancellation_view>;
};

// A function that returns an asio::awaitable, where the resource is.
template <class Function, class Resource>
concept coroutine_function =
    use_form<Function, Resource>::fits && is_awaitable<typename use_form<Function, Resource>::raw_result>;

// How such a call ends.
template <class Function, class Resource>
struct outcome_of_use
    : checked_outcome<typename use_form<Function, Resource>::raw_result, use_form<Function, Resource>::has_code> {};

}  // namespace detail

/// A function that can be run against a resource: `function(resource)`, `function(resource, cancellation_view)`,
/// `function(resource, error_code)` or `function(resource, error_code, cancellation_view)`.
/**
 * The function is moved from when it is called, with an lvalue of the resource. The first form that fits is taken.
 */
template <class Function, class Resource>
concept operation_on = detail::use_form<std::decay_t<Function>, Resource>::fits;

/// A resource with `interrupt(Resource&)`, found by argument-dependent lookup: makes a running function give up.
/**
 * Called when the operation that runs is cancelled, by the cancelling thread, at most once for that operation and never
 * while another one runs: home starts nothing until it has returned. So it must not wait for home, must not throw, and
 * must be safe to call while a function uses the resource. Not called where the running function itself cancels.
 */
template <class Resource>
concept interruptible = detail::adl::has_interrupt<Resource>;

/// An interruptible resource with `finish_interrupt(Resource&)`, found by argument-dependent lookup.
/**
 * Called at home, when the function has returned, if an interrupt was begun, and before home waits for that to return:
 * for an interrupt that needs what home holds. Must not throw.
 */
template <class Resource>
concept finishes_interrupts = interruptible<Resource> && detail::adl::has_finish_interrupt<Resource>;

/// A resource with `enter_batch(Resource&)` and `leave_batch(Resource&)`, found by argument-dependent lookup.
/**
 * Called at home around the functions of one visit, as many as are there and `resource_options::quantum` allows: for
 * what is dear to begin and to end, like a transaction. The operations complete when leave_batch() has returned; if it
 * throws, those that had succeeded fail with that, which is no failure to `resource_options::failure` and stats(). What
 * enter_batch() throws is the failure of the function that the batch was begun for, which is not called. A batch also
 * ends before the resource is made anew, or closed. Functions of a lease run outside of batches.
 */
template <class Resource>
concept has_batches = detail::adl::has_batches<Resource>;

/// A resource with `rollback(Resource&)`, found by argument-dependent lookup.
/**
 * Called at home when a lease ends that has submitted something and was not committed. Must not throw.
 */
template <class Resource>
concept rolls_back = detail::adl::has_rollback<Resource>;

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_CONCEPTS_HPP
