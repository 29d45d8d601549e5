// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_TRANSFORM_CALL_HPP
#define ASYNC_RESOURCE_DETAIL_TRANSFORM_CALL_HPP

#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/operation.hpp>
#include <async_resource/detail/outcome.hpp>
#include <async_resource/detail/transform_gate.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What a callback was given.
template <class... Args>
class callback_arguments {
 public:
  void set(Args... args) noexcept { args_.emplace(std::move(args)...); }
  void reset() noexcept { args_.reset(); }
  // Takes over what another was given. They move without throwing: check_transform() has seen to that.
  void take(callback_arguments&& other) noexcept { args_.emplace(std::move(other.args_).value()); }

  // Instead of them: the disposition, and what its types are by default.
  void set_error(std::error_code error) {
    using disposition = std::tuple_element_t<0, std::tuple<Args...>>;
    std::get<0>(args_.emplace()) = as<disposition>(error);
  }

  // Calls the handler with them, from here. They are there, but g++ does not see that; hence value(), here and below.
  template <class Handler>
  void pass_to(Handler&& handler) && {
    std::apply(std::forward<Handler>(handler), std::move(args_).value());
  }

  // What a co_await makes of them: throws the disposition, returns the others.
  auto get() {
    return std::apply([](Args&... args) { return result_of(args...); }, args_.value());
  }

 private:
  template <class Disposition>
  static Disposition as(std::error_code error) noexcept {
    if constexpr (std::is_same_v<Disposition, std::error_code>)
      return error;
    else
      return exception_of(error);
  }

  static void result_of() {}
  template <class First, class... Others>
  static auto result_of(First& first, Others&... others) {
    if constexpr (is_disposition<First>) {
      throw_if_failed(first);
      return typename await_result<Others...>::type(std::move(others)...);
    } else {
      return typename await_result<First, Others...>::type(std::move(first), std::move(others)...);
    }
  }

  std::optional<std::tuple<Args...>> args_;
};

struct no_cancel {};

// Whether the callback gets its context as the last argument, or the first.
enum class context_at { end, front };

template <class Signature, context_at Where>
struct c_callback;
template <class... Args>
struct c_callback<void(Args...), context_at::end> {
  using type = void (*)(Args..., void*);
};
template <class... Args>
struct c_callback<void(Args...), context_at::front> {
  using type = void (*)(void*, Args...);
};

// How to call a C API.
template <class Callback, context_at Where, class Start, class Cancel>
struct c_call {
  using signature = Callback;
  static constexpr bool can_cancel = !std::is_same_v<Cancel, no_cancel>;

  [[no_unique_address]] Start start;
  [[no_unique_address]] Cancel cancel;
};

// A gate that a cancellation slot has, too, and may have for longer than there is something behind it.
template <class Operation>
struct shared_gate {
  explicit shared_gate(Operation& op) noexcept : operation(op) {}

  transform_gate gate;
  Operation& operation;
};

// The slot's end.
template <class Operation>
class transform_canceller {
 public:
  explicit transform_canceller(std::shared_ptr<shared_gate<Operation>> shared) noexcept : shared_(std::move(shared)) {}

  // In any thread. The slot may have been given to others before this returns.
  void operator()(asio::cancellation_type_t type) noexcept {
    if (type != asio::cancellation_type::none && shared_->gate.ask()) shared_->operation.cancel();
  }

 private:
  std::shared_ptr<shared_gate<Operation>> shared_;
};

// A C API that is called once, and calls back once. It, and cancel(), keep this alive until they are through.
//
// Operation, derived from this, is where it lives: in the frame of the coroutine that awaits it, or in a block. It has
//   arguments()  where the callback leaves what it was given
//   deliver()    sends that to the handler; the last thing to be done with the object
template <class Operation, class Call>
class transform_call;

template <class Operation, class... Args, context_at Where, class Start, class Cancel>
class transform_call<Operation, c_call<void(Args...), Where, Start, Cancel>> {
 public:
  using call_type = c_call<void(Args...), Where, Start, Cancel>;
  using arguments_type = callback_arguments<Args...>;

  transform_call(const transform_call&) = delete;
  transform_call& operator=(const transform_call&) = delete;

  // By the gate's leave.
  void cancel() noexcept {
    if constexpr (call_type::can_cancel) {
      if constexpr (std::invocable<Cancel>)
        std::move(call_.cancel)();
      else
        std::move(call_.cancel)(call_.start);
      if (gate().left()) operation().deliver();
    }
  }

 protected:
  explicit transform_call(call_type&& call) : call_(std::move(call)) {}
  ~transform_call() = default;

  // In the initiating function. If it throws, nothing of this is known to the API, nor to the slot.
  template <class Slot>
  void start(Slot slot) {
    if constexpr (call_type::can_cancel)
      if (slot.is_connected()) return start_cancellable(std::move(slot));
    call_api();
  }

 private:
  using shared_type = shared_gate<Operation>;

  template <class Slot>
  void start_cancellable(Slot slot) {
    shared_ = std::make_shared<shared_type>(operation());
    slot.template emplace<transform_canceller<Operation>>(shared_);
    try {
      call_api();
    } catch (...) {
      slot.clear();
      throw;
    }
  }

  void call_api() {
    if (const std::error_code refused = call_start()) {
      if constexpr (can_refuse) operation().arguments().set_error(refused);
      return operation().deliver();
    }
    switch (gate().started()) {
      case transform_gate::next::nothing: return;
      case transform_gate::next::cancel: return cancel();
      case transform_gate::next::deliver: return operation().deliver();
    }
  }

  std::error_code call_start() {
    void* const context = this;
    if constexpr (can_refuse)
      return std::move(call_.start)(context, callback());
    else
      return std::move(call_.start)(context, callback()), std::error_code();
  }

  void call_back(Args... args) noexcept {
    operation().arguments().set(std::move(args)...);
    if (gate().called_back()) operation().deliver();
  }

  static void context_last(Args... args, void* context) noexcept {
    static_cast<transform_call*>(context)->call_back(std::move(args)...);
  }
  static void context_first(void* context, Args... args) noexcept {
    static_cast<transform_call*>(context)->call_back(std::move(args)...);
  }

  using callback_type = typename c_callback<void(Args...), Where>::type;
  static constexpr bool can_refuse = std::is_same_v<std::invoke_result_t<Start, void*, callback_type>, std::error_code>;

  static callback_type callback() noexcept {
    if constexpr (Where == context_at::front)
      return &context_first;
    else
      return &context_last;
  }

  Operation& operation() noexcept { return static_cast<Operation&>(*this); }

  transform_gate& gate() noexcept {
    if constexpr (call_type::can_cancel)
      if (shared_) return shared_->gate;
    return own_gate_;
  }

  [[no_unique_address]] call_type call_;
  transform_gate own_gate_;
  [[no_unique_address]] std::conditional_t<call_type::can_cancel, std::shared_ptr<shared_type>, no_cancel> shared_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_TRANSFORM_CALL_HPP
