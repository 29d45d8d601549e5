// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_CONTEXT_REGISTRY_HPP
#define ASYNC_RESOURCE_DETAIL_CONTEXT_REGISTRY_HPP

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

class context_registry;

// Something that depends on an execution context and may still be in use when the context is shut down: a resource on
// its home context, a handler on the context it wants to be called on.
//
//   enrolled --withdraw()--> free                  the owner goes on alone, the context still alive
//   enrolled --shutdown--> cutting --> cut         on_context_shutdown() runs in between
//   any      --leave()-->                          the owner is done: it destroys a member that is free or cut; else
//                                                  shutdown does, once it has cut it
//
// The registry's mutex guards the state, the links and `left_`.
class context_member {
 public:
  context_member(const context_member&) = delete;
  context_member& operator=(const context_member&) = delete;

 protected:
  context_member() = default;
  ~context_member() = default;

  // Let go of all that needs the context. Runs in the thread that destroys it, with its executors still usable.
  virtual void on_context_shutdown() noexcept = 0;
  virtual void destroy() noexcept = 0;

 private:
  friend class context_registry;
  enum class state { free, enrolled, cutting, cut };

  context_member* previous_ = nullptr;
  context_member* next_ = nullptr;
  state state_ = state::free;
  bool left_ = false;
};

// The members of one execution context. Outlives the context, for those who come late.
//
// A pin holds shutdown off, so that a thread which does not belong to the context may post to it without seeing it
// destroyed underneath. User code never runs under the mutex.
class context_registry {
 public:
  // False once the context has been shut down.
  bool enrol(context_member& member) noexcept {
    std::lock_guard lock(mutex_);
    if (shut_down_) return false;
    member.next_ = first_;
    if (first_) first_->previous_ = &member;
    first_ = &member;
    member.state_ = context_member::state::enrolled;
    return true;
  }

  // False once the context has been shut down; else unpin() must follow.
  bool pin() noexcept {
    std::lock_guard lock(mutex_);
    if (shut_down_) return false;
    ++pins_;
    return true;
  }

  void unpin() noexcept {
    std::lock_guard lock(mutex_);
    if (--pins_ == 0 && shut_down_) unpinned_.notify_all();
  }

  // Takes the member out, with the context pinned; false if shutdown has it, or soon will have.
  bool withdraw_and_pin(context_member& member) noexcept {
    std::lock_guard lock(mutex_);
    if (shut_down_) return false;
    unlink(member);
    member.state_ = context_member::state::free;
    ++pins_;
    return true;
  }

  // The owner needs the member no more. By value, since the registry's last reference may be the member's own.
  static void leave(std::shared_ptr<context_registry> registry, context_member& member) noexcept {
    if (registry) {
      std::lock_guard lock(registry->mutex_);
      if (member.state_ == context_member::state::enrolled || member.state_ == context_member::state::cutting) {
        member.left_ = true;
        return;
      }
    }
    member.destroy();
  }

  void shut_down() noexcept {
    std::unique_lock lock(mutex_);
    shut_down_ = true;
    unpinned_.wait(lock, [this] { return pins_ == 0; });
    while (context_member* member = first_) {
      unlink(*member);
      member->state_ = context_member::state::cutting;
      lock.unlock();
      member->on_context_shutdown();
      lock.lock();
      member->state_ = context_member::state::cut;
      if (member->left_) {
        lock.unlock();
        member->destroy();
        lock.lock();
      }
    }
  }

 private:
  void unlink(context_member& member) noexcept {
    (member.previous_ ? member.previous_->next_ : first_) = member.next_;
    if (member.next_) member.next_->previous_ = member.previous_;
    member.previous_ = member.next_ = nullptr;
  }

  std::mutex mutex_;
  std::condition_variable unpinned_;
  context_member* first_ = nullptr;
  std::size_t pins_ = 0;
  bool shut_down_ = false;
};

// To be called by the constructor of a service: services are shut down newest first, so that of strands has to be
// older.
inline void outlive_by_strands(asio::execution_context& context) {
  asio::use_service<asio::detail::strand_executor_service>(context);
}

// The context's end of its registry: the service whose shutdown tells the members.
class context_service final : public asio::execution_context::service {
 public:
  using key_type = context_service;
  inline static asio::execution_context::id id;

  explicit context_service(asio::execution_context& context)
      : asio::execution_context::service(context), registry_(std::make_shared<context_registry>()) {
    outlive_by_strands(context);  // A pin must hold off their shutdown, too.
  }

  const std::shared_ptr<context_registry>& registry() const noexcept { return registry_; }

 private:
  void shutdown() override { registry_->shut_down(); }

  std::shared_ptr<context_registry> registry_;
};

// An executor that can tell its execution context. For one that cannot, such as any_completion_executor, there is no
// registry: nobody can know when its context goes.
template <class Executor>
concept knows_its_context = asio::can_query_v<const Executor&, asio::execution::context_as_t<asio::execution_context&>>;

template <class Executor>
asio::execution_context* context_of(const Executor& executor) {
  if constexpr (knows_its_context<Executor>)
    return &asio::query(executor, asio::execution::context_as<asio::execution_context&>);
  else
    return nullptr;
}

inline std::shared_ptr<context_registry> registry_of(asio::execution_context* context) {
  return context ? asio::use_service<context_service>(*context).registry() : nullptr;
}

// Null also if there is no memory to make it.
template <class Executor>
std::shared_ptr<context_registry> known_registry_of(const Executor& executor) noexcept {
  try {
    return registry_of(context_of(executor));
  } catch (...) {
    return nullptr;
  }
}

// True while it lives: the context is there, and waits with its shutdown. Without a registry it is taken on trust.
class [[nodiscard]] context_pin {
 public:
  explicit context_pin(const std::shared_ptr<context_registry>& registry) noexcept
      : alive_(!registry || registry->pin()) {
    if (alive_) registry_ = registry;
  }
  context_pin(const std::shared_ptr<context_registry>& registry, context_member& member) noexcept
      : alive_(!registry || registry->withdraw_and_pin(member)) {
    if (alive_) registry_ = registry;
  }
  context_pin(const context_pin&) = delete;
  context_pin& operator=(const context_pin&) = delete;
  ~context_pin() {
    if (registry_) registry_->unpin();
  }

  explicit operator bool() const noexcept { return alive_; }

 private:
  bool alive_;
  std::shared_ptr<context_registry> registry_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_CONTEXT_REGISTRY_HPP
