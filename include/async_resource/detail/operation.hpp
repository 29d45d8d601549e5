// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_OPERATION_HPP
#define ASYNC_RESOURCE_DETAIL_OPERATION_HPP

#include <coroutine>
#include <exception>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/default_token.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

template <class Signature, class Initiation>
class awaiter;

// An asynchronous operation that has not been started: a completion token starts it, or a co_await. Move-only, and
// used up by being started.
template <class Signature, class Initiation>
class [[nodiscard]] operation {
 public:
  explicit operation(Initiation&& initiation) : initiation_(std::move(initiation)) {}
  operation(operation&&) = default;
  operation& operator=(operation&&) = default;

  template <asio::completion_token_for<Signature> Token>
  auto operator()(Token&& token) && {
    return asio::async_initiate<Token, Signature>(std::move(initiation_), token);
  }

  // For coroutines that are not asio::awaitable, which has its own way.
  awaiter<Signature, Initiation> operator co_await() && { return awaiter<Signature, Initiation>(std::move(*this)); }

  Initiation& initiation() noexcept { return initiation_; }

 private:
  Initiation initiation_;
};

// What an operation may tell first: how it ended.
template <class T>
inline constexpr bool is_disposition = std::is_same_v<T, std::error_code> || std::is_same_v<T, std::exception_ptr>;

template <class... Results>
struct await_result {
  using type = std::tuple<Results...>;
};
template <class Result>
struct await_result<Result> {
  using type = Result;
};
template <>
struct await_result<> {
  using type = void;
};

inline void throw_if_failed(const std::exception_ptr& exception) {
  if (exception) std::rethrow_exception(exception);
}
inline void throw_if_failed(std::error_code error) {
  if (error) throw std::system_error(error);
}

// Resumes a coroutine of any type, from the operation's own executor. The coroutine must not be destroyed while it is
// suspended here; if the operation is abandoned, it is never resumed.
template <class Disposition, class... Results, class Initiation>
class awaiter<void(Disposition, Results...), Initiation> {
  using operation_type = operation<void(Disposition, Results...), Initiation>;

 public:
  explicit awaiter(operation_type&& op) : operation_(std::move(op)) {}

  bool await_ready() const noexcept { return false; }

  // Not inlined: see resumption.hpp.
  [[gnu::noinline]] void await_suspend(std::coroutine_handle<> coroutine) {
    // Last, because the coroutine may be running elsewhere, or gone, before this returns.
    operation_type op = std::move(operation_);
    std::move(op)([this, coroutine](Disposition disposition, Results... results) {
      outcome_.emplace(std::move(disposition), std::move(results)...);
      coroutine.resume();
    });
  }

  typename await_result<Results...>::type await_resume() {
    throw_if_failed(std::get<0>(*outcome_));
    if constexpr (sizeof...(Results) == 1) return std::move(std::get<1>(*outcome_));
  }

 private:
  operation_type operation_;
  std::optional<std::tuple<Disposition, Results...>> outcome_;
};

template <class Token>
inline constexpr bool is_deferred_token = std::is_same_v<std::decay_t<Token>, asio::deferred_t>;

// What an initiating function returns: the operation if it is to be deferred, else what the token makes of it.
template <class Signature, class Initiation, class Token>
auto initiate(Initiation&& initiation, Token&& token) {
  static_assert(asio::completion_token_for<Token, Signature>,
                "async_resource: the last argument is no completion token for this operation: a callback must take "
                "(std::exception_ptr[, result]), or (std::error_code[, result]) for an error_code function");
  operation<Signature, Initiation> op(std::move(initiation));
  if constexpr (is_deferred_token<Token>)
    return op;
  else
    return std::move(op)(std::forward<Token>(token));
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

// An operation composes as Asio's own deferred operations do.
template <class Signature, class Initiation>
struct asio::is_deferred<asyncres::detail::operation<Signature, Initiation>> : std::true_type {};

#endif  // ASYNC_RESOURCE_DETAIL_OPERATION_HPP
