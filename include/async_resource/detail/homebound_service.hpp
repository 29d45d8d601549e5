// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOMEBOUND_SERVICE_HPP
#define ASYNC_RESOURCE_DETAIL_HOMEBOUND_SERVICE_HPP

#include <atomic>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_list.hpp>
#include <async_resource/detail/homebound.hpp>
#include <async_resource/detail/one_shot.hpp>
#include <async_resource/detail/reserved_memory.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// How often a context with homebound operations has gone. Whoever remembers a context by its address asks first.
inline std::atomic<std::uint64_t> contexts_gone{0};

// The homebound operations of one execution context, and what becomes of them when it is shut down: those still at a
// home are taken out, the handlers are destroyed here, and functions and results go home.
//
// Executor: that of the context's own threads; `void` for a context that is none of Asio's, to which each handler is
// posted on its own.
template <class Executor>
class homebound_service final : public asio::execution_context::service, public homebound {
 public:
  using key_type = homebound_service;
  inline static asio::execution_context::id id;

  explicit homebound_service(asio::execution_context& context)
      : asio::execution_context::service(context), homebound(registry_of(&context)) {}
  ~homebound_service() {
    // Relaxed: who makes a new context at this address, and who uses that, come after.
    contexts_gone.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  void shutdown() override {
    close();
    registry()->shut_down();  // From here on nobody can pin the context, and send it something.
    task_list orphans = home_list::evict_from_all(*this);
    for (task_list arrived = take_all(); !arrived.empty();) {
      auto& operation = static_cast<operation_task&>(arrived.pop());
      operation.salvage_result();
      orphans.push_back(operation);
    }
    while (!orphans.empty()) static_cast<operation_task&>(orphans.pop()).drop();
  }

  void post_delivery() noexcept override {
    if constexpr (!std::is_void_v<Executor>) post_to(executor(), delivery(*this), memory_);
  }

  auto executor() noexcept {
    if constexpr (std::same_as<Executor, asio::io_context::executor_type>)
      return static_cast<asio::io_context&>(this->context()).get_executor();
    else if constexpr (std::same_as<Executor, asio::thread_pool::executor_type>)
      return static_cast<asio::thread_pool&>(this->context()).get_executor();
    else
      return asio::system_executor();
  }

  void start() { deliver(); }
  void dropped() noexcept {}  // By the context that is being destroyed, after the shutdown above.
  using delivery = one_shot<homebound_service, &homebound_service::start, &homebound_service::dropped>;

  reserved_memory<1> memory_;
};

template <class Executor>
homebound& homebound_of(asio::execution_context& context) {
  // Looking a service up takes a lock and a walk; coroutines mostly stay where they are.
  struct memo {
    asio::execution_context* context;
    std::uint64_t gone;
    homebound* found;
  };
  static thread_local constinit memo last{nullptr, 0, nullptr};
  const std::uint64_t gone = contexts_gone.load(std::memory_order_relaxed);
  if (last.context != &context || last.gone != gone)
    last = {&context, gone, &asio::use_service<homebound_service<Executor>>(context)};
  return *last.found;
}

// How a handler's executor is reached from a home: through the mailbox of its context, and from there, if it is a
// strand, by a dispatch to that; or, where Asio's own contexts are not beneath, by a post. A handler that only wakes a
// thread is called where its operation ends.
struct way_back {
  enum class kind : unsigned char { mailbox, strand, post, none };

  homebound* origin;
  kind how;
};

template <class Executor>
way_back way_back_to(const Executor& executor) {
  return visit_concrete(executor, []<class Concrete>(const Concrete& concrete) -> way_back {
    if constexpr (is_context_executor<Concrete>)
      return {&homebound_of<context_executor_t<Concrete>>(*context_of(concrete)), way_back::kind::mailbox};
    else if constexpr (is_context_strand<Concrete>)
      return {&homebound_of<context_executor_t<typename Concrete::inner_executor_type>>(*context_of(concrete)),
              way_back::kind::strand};
    else if constexpr (knows_its_context<Concrete>)
      return {&homebound_of<void>(*context_of(concrete)), way_back::kind::post};
    else
      return {nullptr, way_back::kind::post};
  });
}

// What is posted or dispatched to a handler's executor.
using arrival = one_shot<operation_task, &operation_task::complete, &operation_task::lost>;

// From a thread of the context that is beneath the strand.
template <class Executor, class Allocator>
void dispatch_to_strand(const Executor& executor, operation_task& operation, const Allocator& allocator) {
  visit_concrete(executor, [&]<class Concrete>(const Concrete& concrete) {
    if constexpr (is_context_strand<Concrete>)
      asio::prefer(concrete, asio::execution::blocking.possibly, asio::execution::allocator(allocator))
          .execute(arrival(operation));
  });
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOMEBOUND_SERVICE_HPP
