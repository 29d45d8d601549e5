// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_TRANSFORM_HPP
#define ASYNC_RESOURCE_DETAIL_TRANSFORM_HPP

#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/block.hpp>
#include <async_resource/detail/completion.hpp>
#include <async_resource/detail/transform_call.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

template <class Operation, class Call>
using arguments_of = typename transform_call<Operation, Call>::arguments_type;

// A call of a C API in one block from the handler's associated allocator, which also carries the completion. If the
// handler's context goes first, the handler goes with it, and the block stays for the callback.
template <class Call, class Handler>
class transform_in_block final
    : public transform_call<transform_in_block<Call, Handler>, Call>,
      public completion<Handler, asio::system_executor, arguments_of<transform_in_block<Call, Handler>, Call>> {
  using call = transform_call<transform_in_block, Call>;
  using base = completion<Handler, asio::system_executor, arguments_of<transform_in_block, Call>>;

 public:
  transform_in_block(Call&& c_api, Handler&& handler)
      : call(std::move(c_api)), base(std::move(handler), asio::system_executor()) {}

  // Drops the operation if it throws.
  void start() {
    auto slot = base::cancellation_slot();
    base::enrol();
    try {
      call::start(std::move(slot));
    } catch (...) {
      base::give_up();
      throw;
    }
  }

 private:
  friend call;

  typename call::arguments_type& arguments() noexcept { return base::result(); }
  using base::deliver;

  void on_dropped() noexcept override { destroy(); }
  void destroy() noexcept override { base::free_block(*this); }
};

// The initiation of completion_token_transform: what it needs, until there is a handler.
template <class Call>
class initiate_transform {
 public:
  using executor_type = asio::system_executor;

  explicit initiate_transform(Call&& call) : call_(std::move(call)) {}

  executor_type get_executor() const noexcept { return {}; }

  template <class Handler>
  void operator()(Handler&& handler) {
    using handler_type = std::decay_t<Handler>;
    handler_type local(std::forward<Handler>(handler));
    using task_type = transform_in_block<Call, handler_type>;
    const auto allocator = task_type::allocator_of(local);
    make_block<task_type>(allocator, std::move(call_), std::move(local))->start();
  }

  // For an operation in a coroutine's frame.
  Call&& call() noexcept { return std::move(call_); }

 private:
  Call call_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_TRANSFORM_HPP
