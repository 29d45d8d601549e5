// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_REFUSAL_HPP
#define ASYNC_RESOURCE_DETAIL_REFUSAL_HPP

#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A handler bound to the outcome of an operation that was refused. Keeps what is associated with the handler.
template <class Handler, class Outcome>
struct refusal {
  Handler handler;
  Outcome outcome;

  void operator()() { std::move(outcome).pass_to(std::move(handler)); }
};

// Completes an operation that its home, being gone, never took: through the handler's immediate executor if it has one,
// else from a system thread to the handler's executor. The home's own executor is of no use any more.
template <class Outcome, class Handler>
void refuse(Handler&& handler, std::error_code error) {
  using handler_type = std::decay_t<Handler>;
  using immediate = asio::associated_immediate_executor_t<handler_type, asio::system_executor>;
  using none = asio::associated_immediate_executor_t<void (*)(), asio::system_executor>;

  auto executor = asio::get_associated_immediate_executor(handler, asio::system_executor());
  refusal<handler_type, Outcome> bound{std::forward<Handler>(handler), Outcome(error)};
  if constexpr (std::is_same_v<immediate, none>)
    asio::post(asio::system_executor(), std::move(bound));
  else
    asio::dispatch(executor, std::move(bound));
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

template <template <class, class> class Associator, class Handler, class Outcome, class DefaultCandidate>
struct asio::associator<Associator, asyncres::detail::refusal<Handler, Outcome>, DefaultCandidate>
    : Associator<Handler, DefaultCandidate> {
  static auto get(const asyncres::detail::refusal<Handler, Outcome>& bound) noexcept {
    return Associator<Handler, DefaultCandidate>::get(bound.handler);
  }
  static auto get(const asyncres::detail::refusal<Handler, Outcome>& bound,
                  const DefaultCandidate& candidate) noexcept {
    return Associator<Handler, DefaultCandidate>::get(bound.handler, candidate);
  }
};

#endif  // ASYNC_RESOURCE_DETAIL_REFUSAL_HPP
