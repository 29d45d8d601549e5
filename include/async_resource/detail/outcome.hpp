// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_OUTCOME_HPP
#define ASYNC_RESOURCE_DETAIL_OUTCOME_HPP

#include <concepts>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

struct no_value {};

template <class Disposition, class Result>
struct completion_signature {
  using type = void(Disposition, Result);
};
template <class Disposition>
struct completion_signature<Disposition, void> {
  using type = void(Disposition);
};

inline std::error_code to_error_code(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::system_error& e) {
    return e.code() ? e.code() : errc::exception;  // Thrown, it is no success.
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  } catch (...) {
    return errc::exception;
  }
}

// The std::system_error, or the std::bad_alloc that making it ends with.
inline std::exception_ptr exception_of(std::error_code error) noexcept {
  try {
    throw std::system_error(error);
  } catch (...) {
    return std::current_exception();
  }
}

// What a function came to: how it ended (Disposition: std::exception_ptr or std::error_code), and what it returned.
template <class Disposition, class Result>
class outcome {
 public:
  using signature = typename completion_signature<Disposition, Result>::type;

  // What is left to do at home, should nobody receive it.
  static constexpr bool is_trivial = std::is_void_v<Result> || std::is_trivially_destructible_v<Result>;

  outcome() = default;
  explicit outcome(std::error_code error) { set_error(error); }

  // Calls the function and keeps how it ends. An error_code function is given the code to set, as its last argument.
  // What it threw, if it did.
  template <class Function, class... Args>
  std::exception_ptr capture(Function&& function, Args&&... args) noexcept {
    try {
      if constexpr (std::same_as<Disposition, std::error_code>)
        keep(std::forward<Function>(function), std::forward<Args>(args)..., disposition_);
      else
        keep(std::forward<Function>(function), std::forward<Args>(args)...);
      return nullptr;
    } catch (...) {
      set_current_exception();
      return std::current_exception();
    }
  }

  // Within a catch clause.
  void set_current_exception() noexcept { set_exception(std::current_exception()); }

  void set_exception(const std::exception_ptr& exception) noexcept {
    if constexpr (std::same_as<Disposition, std::error_code>)
      disposition_ = to_error_code(exception);
    else
      disposition_ = exception;
  }

  // Takes over what another came to; if moving its value throws, that is what this came to.
  void take(outcome&& other) noexcept {
    try {
      if (other.value_) value_.emplace(std::move(*other.value_));
      disposition_ = std::move(other.disposition_);
    } catch (...) {
      set_current_exception();
    }
  }

  void set_error(std::error_code error) noexcept {
    if constexpr (std::same_as<Disposition, std::error_code>)
      disposition_ = error;
    else
      disposition_ = exception_of(error);
  }

  template <class Value>
  void set_value(Value&& value) {
    value_.emplace(std::forward<Value>(value));
  }

  // A failure takes the place of a success.
  void fail_with(const std::exception_ptr& exception) noexcept {
    if (!exception || disposition_) return;
    value_.reset();
    set_exception(exception);
  }

  void reset() noexcept {
    disposition_ = Disposition();
    value_.reset();
  }

  // Calls the handler with it, from here: (disposition) or (disposition, result).
  template <class Handler>
  void pass_to(Handler&& handler) && {
    if constexpr (std::is_void_v<Result>)
      std::forward<Handler>(handler)(std::move(disposition_));
    else
      std::forward<Handler>(handler)(std::move(disposition_), value_ ? std::move(*value_) : Result());
  }

 private:
  template <class Function, class... Args>
  void keep(Function&& function, Args&&... args) {
    if constexpr (std::is_void_v<Result>)
      std::invoke(std::forward<Function>(function), std::forward<Args>(args)...);
    else
      value_.emplace(std::invoke(std::forward<Function>(function), std::forward<Args>(args)...));
  }

  Disposition disposition_{};
  std::optional<std::conditional_t<std::is_void_v<Result>, no_value, Result>> value_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_OUTCOME_HPP
