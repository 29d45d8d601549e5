// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_TRANSFORM_IN_FRAME_HPP
#define ASYNC_RESOURCE_DETAIL_TRANSFORM_IN_FRAME_HPP

#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/drop_watch.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/homebound.hpp>
#include <async_resource/detail/homebound_service.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/detail/reserved_memory.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/transform.hpp>
#include <async_resource/detail/transform_call.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// An operation that only comes back: it never was at a home.
class returning_task : public operation_task {
 public:
  void run(home_base&) noexcept final {}
  void abandon(home_base*) noexcept final {}
  void fail(std::error_code, home_base*) noexcept final {}
  void refuse(std::error_code, std::optional<context_pin>&) noexcept final {}
  void end(std::error_code, home_base*) noexcept final {}
  void return_with(home_base&, void*) noexcept final {}
  void discard(home_base*) noexcept final {}
  void salvage_result() noexcept final {}

 protected:
  ~returning_task() = default;
};

// A call of a C API in the frame of the coroutine that awaits it. Handler resumes that, without arguments: they stay
// here. If the handler's context goes first, the coroutine stays suspended for good, because the API still has a
// pointer into its frame.
template <class Call, class Handler>
class transform_in_frame final : public transform_call<transform_in_frame<Call, Handler>, Call>, public returning_task {
  using call = transform_call<transform_in_frame, Call>;
  using executor_type = asio::associated_executor_t<Handler>;

 public:
  explicit transform_in_frame(Call&& c_api) : call(std::move(c_api)) {}
  ~transform_in_frame() {}  // Not defaulted: what is in the union is trivially destructible.

  // With the coroutine suspended. False: there is no memory for the service of a context that is new here; then the
  // coroutine goes on at once.
  bool start(Handler&& handler) noexcept {
    try {
      const way_back way = way_back_to(handler.get_executor());
      origin_ = way.origin;
      how_ = way.how;
    } catch (...) {
      failure_ = std::current_exception();
      return false;
    }
    if (origin_) registry_ = origin_->registry();
    lane_ = homebound::lane_of_this_thread();
    handler_.emplace(std::move(handler));
    try {
      call::start(asio::get_associated_cancellation_slot(*handler_));
    } catch (...) {
      failure_ = std::current_exception();
      deliver();
    }
    return true;
  }

  // In the coroutine, resumed.
  auto get() {
    throw_if_failed(failure_);
    return arguments_.get();
  }

  void arrive() override {
    if constexpr (!is_context_executor<executor_type>)
      if (how_ == way_back::kind::strand)
        return dispatch_to_strand(handler_->get_executor(), *this, memory_for_dispatch());
    complete();
  }

  void complete() override {
    Handler handler = std::move(*handler_);
    handler_.reset();
    std::move(handler)();
  }

  void lost() noexcept override {
    if (!drop_watch::notice(this)) drop();
  }

  void drop() noexcept override { [[maybe_unused]] const auto handler = std::exchange(handler_, std::nullopt); }

 private:
  friend call;

  typename call::arguments_type& arguments() noexcept { return arguments_; }

  // The API may have kept its thread for longer than the context was there.
  void deliver() noexcept {
    std::optional<context_pin> pin(std::in_place, registry_);
    if (!*pin) return;
    if (how_ != way_back::kind::post) return origin_->push(*this);
    if constexpr (!is_context_executor<executor_type> && !is_context_strand<executor_type>) {
      drop_watch watch(this);
      try {
        post_to_concrete(handler_->get_executor(), arrival(*this), std::allocator<void>());
      } catch (...) {
        // The executor could not take it, and has destroyed it.
      }
      pin.reset();  // What is destroyed now may own the context.
      if (watch.dropped()) drop();
    }
  }

  reserved_allocator<void, 1> memory_for_dispatch() noexcept {
    return reserved_allocator<void, 1>(*std::construct_at(std::addressof(memory_)));
  }

  way_back::kind how_ = way_back::kind::post;
  std::shared_ptr<context_registry> registry_;
  std::optional<Handler> handler_;
  std::exception_ptr failure_;
  typename call::arguments_type arguments_;
  union {
    reserved_memory<1> memory_;
  };
};

template <class Call>
using transform_operation = operation<typename Call::signature, initiate_transform<Call>>;

// Resumes a coroutine of any type, from a thread of the system_executor.
class coroutine_resumer {
 public:
  using executor_type = asio::system_executor;

  explicit coroutine_resumer(std::coroutine_handle<> coroutine) noexcept : coroutine_(coroutine) {}

  executor_type get_executor() const noexcept { return {}; }
  void operator()() const { coroutine_.resume(); }

 private:
  std::coroutine_handle<> coroutine_;
};

template <class Call>
class transform_awaiter {
 public:
  explicit transform_awaiter(transform_operation<Call>&& op) : call_(op.initiation().call()) {}

  bool await_ready() const noexcept { return false; }

  // Not inlined: Clang before 17 may keep what this has on the stack in the coroutine's frame, which may be in use
  // elsewhere by then, or gone (LLVM issue 56301).
  [[gnu::noinline]] bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
    return call_.start(coroutine_resumer(coroutine));
  }

  auto await_resume() { return call_.get(); }

 private:
  transform_in_frame<Call, coroutine_resumer> call_;
};

// In place, too. Two of them, each more specialised than the general one.
template <context_at Where, class Start, class Cancel>
class awaiter<void(), initiate_transform<c_call<void(), Where, Start, Cancel>>>
    : public transform_awaiter<c_call<void(), Where, Start, Cancel>> {
 public:
  using transform_awaiter<c_call<void(), Where, Start, Cancel>>::transform_awaiter;
};
template <class Arg, class... Args, context_at Where, class Start, class Cancel>
class awaiter<void(Arg, Args...), initiate_transform<c_call<void(Arg, Args...), Where, Start, Cancel>>>
    : public transform_awaiter<c_call<void(Arg, Args...), Where, Start, Cancel>> {
 public:
  using transform_awaiter<c_call<void(Arg, Args...), Where, Start, Cancel>>::transform_awaiter;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

// How asio::awaitable awaits it: see await.hpp, for the versions too.
#if ASIO_VERSION >= 103000 && ASIO_VERSION < 103900 && !defined(ASIO_ENABLE_HANDLER_TRACKING)

namespace asio::detail {

template <class Signature, class Call, class Executor>
  requires asyncres::detail::can_post<Executor>
class awaitable_async_op<Signature, asyncres::detail::operation<Signature, asyncres::detail::initiate_transform<Call>>,
                         Executor> {
 public:
  using operation_type = asyncres::detail::operation<Signature, asyncres::detail::initiate_transform<Call>>;
  using handler_type = awaitable_async_op_handler<void(), Executor>;  // The result stays here.

  awaitable_async_op(operation_type&& op, awaitable_frame_base<Executor>* frame)
      : frame_(frame), call_(op.initiation().call()) {}

  bool await_ready() const noexcept { return false; }

  void await_suspend(coroutine_handle<void>) noexcept {
    frame_->after_suspend([](void* self) { static_cast<awaitable_async_op*>(self)->start(); }, this);
  }

  auto await_resume() { return call_.get(); }

 private:
  void start() {
    typename handler_type::result_type nothing;
    handler_type handler(frame_->detach_thread(), nothing);
    if (!call_.start(std::move(handler))) handler();
  }

  awaitable_frame_base<Executor>* frame_;
  asyncres::detail::transform_in_frame<Call, handler_type> call_;
};

}  // namespace asio::detail

#endif

#endif  // ASYNC_RESOURCE_DETAIL_TRANSFORM_IN_FRAME_HPP
