// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_AWAIT_HPP
#define ASYNC_RESOURCE_DETAIL_AWAIT_HPP

#include <coroutine>
#include <optional>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/invoke.hpp>
#include <async_resource/detail/operation.hpp>

// How asio::awaitable awaits our operation: in place, without a block. Asio has no public way to say so. It makes an
// `awaitable_async_op` of what is awaited, an awaiter that lives in the coroutine's frame until the coroutine is
// resumed, and this is the one for async_invoke(); it is the awaiter that proves the frame, not the operation, which
// may be anywhere. Known to fit Asio 1.30 to 1.38; with any other, operations awaited take a block as with every other
// token.
#if ASIO_VERSION >= 103000 && ASIO_VERSION < 103900 && !defined(ASIO_ENABLE_HANDLER_TRACKING)

namespace asio::detail {

template <class Signature, class Home, class Function, class Executor>
  requires asyncres::detail::can_post<Executor>
class awaitable_async_op<
    Signature, asyncres::detail::operation<Signature, asyncres::detail::initiate_invoke<Home, Function>>, Executor> {
 public:
  using operation_type = asyncres::detail::operation<Signature, asyncres::detail::initiate_invoke<Home, Function>>;
  using handler_type = awaitable_async_op_handler<Signature, Executor>;

  awaitable_async_op(operation_type&& op, awaitable_frame_base<Executor>* frame)
      : frame_(frame), invocation_(op.initiation().home(), op.initiation().function()) {}

  bool await_ready() const noexcept { return false; }

  void await_suspend(coroutine_handle<void>) {
    frame_->after_suspend(
        [](void* self) {
          auto& op = *static_cast<awaitable_async_op*>(self);
          std::optional<asyncres::detail::context_pin> not_pinned;
          op.invocation_.start(handler_type(op.frame_->detach_thread(), op.result_), not_pinned);
        },
        this);
  }

  auto await_resume() { return handler_type::resume(result_); }

 private:
  awaitable_frame_base<Executor>* frame_;
  typename handler_type::result_type result_{};
  typename asyncres::detail::initiate_invoke<Home, Function>::template in_frame_type<handler_type> invocation_;
};

}  // namespace asio::detail

#endif

#endif  // ASYNC_RESOURCE_DETAIL_AWAIT_HPP
