// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_REFUSAL_HPP
#define ASYNC_RESOURCE_DETAIL_REFUSAL_HPP

#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/blocked_thread.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/context_registry.hpp>

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

// The completion of an operation that was refused: no way there, only the way back.
template <class Handler, class Outcome>
class refused_task final : public completion<Handler, asio::system_executor, Outcome> {
  using base = completion<Handler, asio::system_executor, Outcome>;

 public:
  explicit refused_task(Handler&& handler) : base(std::move(handler), asio::system_executor()) {}

  void start(std::error_code error) noexcept {
    this->enrol();
    this->result().set_error(error);
    this->deliver();
  }

 private:
  void on_dropped() noexcept override { destroy(); }
  void destroy() noexcept override { base::free_block(*this); }
};

template <class Handler>
inline constexpr bool has_immediate_executor =
    !std::is_same_v<asio::associated_immediate_executor_t<Handler, asio::system_executor>,
                    asio::associated_immediate_executor_t<void (*)(), asio::system_executor>>;

// Completes an operation through the handler's immediate executor. Some handlers, being type-erased, can only say when
// they are asked whether they have one: then it is `fallback`, whose context is pinned, and is not any more when it is
// called.
template <class Outcome, class Handler, class Executor>
void refuse_at_once(Handler handler, std::error_code error, const Executor& fallback, std::optional<context_pin>& pin) {
  const auto executor = asio::get_associated_immediate_executor(handler, fallback);
  pin.reset();
  asio::dispatch(executor, refusal<Handler, Outcome>{std::move(handler), Outcome(error)});
}

// Completes an operation that its home never took: where it is, if the handler does nothing but wake a thread; through
// the handler's immediate executor, if it has one; else on its associated executor, or, since home is gone and its
// executor of no use, on a system thread.
template <class Outcome, class Handler>
void refuse(Handler handler, std::error_code error) {
  if constexpr (is_waker<Handler>) {
    Outcome(error).pass_to(std::move(handler));
  } else if constexpr (!has_immediate_executor<Handler>) {
    using task_type = refused_task<Handler, Outcome>;
    const auto allocator = task_type::allocator_of(handler);
    make_block<task_type>(allocator, std::move(handler))->start(error);
  } else {
    std::optional<context_pin> none;
    refuse_at_once<Outcome>(std::move(handler), error, asio::system_executor(), none);
  }
}

// The same for an operation of a home, or a pool, whose inner executor is of use as long as its context is there.
template <class Outcome, class Place, class Handler>
void refuse_by(Place& place, Handler handler, std::error_code error) {
  if constexpr (has_immediate_executor<Handler>) {
    std::optional<context_pin> pin;
    if (place.pin(pin)) return refuse_at_once<Outcome>(std::move(handler), error, place.inner_executor(), pin);
  }
  refuse<Outcome>(std::move(handler), error);
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
