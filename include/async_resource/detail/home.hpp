// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_HPP

#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/coroutine_watch.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/observation.hpp>
#include <async_resource/detail/one_shot.hpp>
#include <async_resource/detail/reserved_memory.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/tenant.hpp>
#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The strand by the executor that is really there, so that what is posted to it can use memory set aside.
template <class Executor>
struct posting_strand {
  using type = std::variant<asio::strand<Executor>>;
};
template <>
struct posting_strand<asio::any_io_executor> {
  using type = std::variant<asio::strand<asio::any_io_executor>, asio::strand<asio::io_context::executor_type>,
                            asio::strand<asio::thread_pool::executor_type>, asio::strand<asio::system_executor>>;
};

template <class Executor>
using posting_strand_t = typename posting_strand<Executor>::type;

template <class T, class Variant>
inline constexpr bool is_one_of = false;
template <class T, class... Types>
inline constexpr bool is_one_of<T, std::variant<Types...>> = (std::is_same_v<T, Types> || ...);

// The strand, and the executor that it was made of, or is.
template <class Executor>
struct home_site {
  posting_strand_t<Executor> strand;
  Executor inner_executor;
};

template <class Executor, class Resource, class Observer>
class home final : public home_base {
 public:
  using inner_executor_type = Executor;
  using resource_type = Resource;
  using observer_type = Observer;

  // `how`: in place, or from a factory. See tenant.
  template <class How, class... Args>
  home(home_site<Executor> site, const resource_options& options, How how, Args&&... args)
      : home_base(std::visit([](const auto& s) { return registry_of(context_of(s)); }, site.strand), options),
        posting_strand_(std::move(site.strand)),
        strand_(std::visit([](const auto& s) { return asio::strand<Executor>(s); }, *posting_strand_)),
        tenant_(options, how, std::forward<Args>(args)...),
        inner_executor_(std::move(site.inner_executor)) {
    enrol();
  }

  // While home's context is there, hence with it pinned or from within it.
  const asio::strand<Executor>& strand() const noexcept { return *strand_; }
  // To be used then only, but to be copied whenever an initiation is asked for its executor.
  const Executor& inner_executor() const noexcept { return inner_executor_; }

  // Whether this thread may block until an operation is through; if so, it is about to.
  bool may_be_waited_for(bool leased) noexcept {
    return !is_here() && (leased || !lease_is_this_threads()) && wait_graph::try_wait_for(*this);
  }

  // At home, with the user's code allowed: calls a function. See tenant.
  template <class Function, class Outcome, class Errand>
  void perform(Function&& function, Outcome& outcome, const task_stamp& stamp, const operation_id<Observer>& id,
               Errand* errand) noexcept {
    if (tenant_.perform(std::forward<Function>(function), outcome, stamp, id, errand,
                        [&] { return gate_.cancelled_since(stamp); })) [[unlikely]]
      note_refused(id, asio::error::operation_aborted);
    if (tenant_.poisoned()) [[unlikely]]
      poison();
    if constexpr (has_batches<Resource>) note_batch();
  }

  // By any thread, with the user's code allowed: an operation is about to be submitted; it will not be; it ended in the
  // queue, with that error.
  void stamp(home_task& task, const operation_id<Observer>& id, std::uint32_t lease) noexcept {
    home_occupancy::stamp(task, lease);
    tenant_.observed().queued(id);
  }
  void note_turned_away(const operation_id<Observer>& id) noexcept {
    tally().note_turned_away();
    tenant_.observed().rejected(id);
  }
  void note_refused(const operation_id<Observer>& id, std::error_code error) noexcept {
    if (tally().note_refused(error))
      tenant_.observed().cancelled(id);
    else
      tenant_.observed().rejected(id);
  }

  // Refuses what was submitted before, and asks the function that runs to give up.
  void cancel() noexcept {
    const std::uint32_t epoch = begin_epoch();
    ask_running(epoch);
    coroutines_.cancel(epoch);
  }
  // The latter alone, if it was submitted before that epoch.
  void ask_running(std::uint32_t epoch = std::numeric_limits<std::uint32_t>::max()) noexcept {
    tenant_.ask(epoch, [this] { return is_here(); });
  }

  // For a function that is a coroutine, while it runs.
  coroutine_watch& coroutines() noexcept { return coroutines_; }

  resource_stats stats() noexcept {
    resource_stats stats;
    read(stats);
    tenant_.read(stats);
    return stats;
  }

  std::exception_ptr failure() const { return tenant_.failure(); }

  // At home, with the user's code allowed.
  void roll_back() noexcept { tenant_.roll_back(); }
  void note_ended(const std::exception_ptr& failure) noexcept {
    tenant_.note_ended(failure);
    if (tenant_.poisoned()) poison();
  }
  void note_uncalled(std::error_code why) noexcept { tally().note_refused(why); }
  // For whoever holds a lease, at home.
  resource_type& resource() noexcept { return tenant_.resource(); }

  // Whether this thread runs one of its functions, or something else on its strand.
  bool is_here() const noexcept {
    const context_pin pinned = pin();
    return pinned && strand_->running_in_this_thread();
  }

 private:
  ~home() = default;

  void visit() { drain(); }
  void dropped() noexcept { on_drain_dropped(); }
  void retire_here() { destroy(); }

  void post_drain() override { post(one_shot<home, &home::visit, &home::dropped>(*this)); }
  void post_retirement() override { post(one_shot<home, &home::retire_here, &home::destroy>(*this)); }

  template <class Function>
  void post(Function&& function) {
    std::visit([&](const auto& strand) { post_to(strand, std::forward<Function>(function), memory_); },
               *posting_strand_);
  }

  void vacate() noexcept override { tenant_.vacate(); }

  // A batch that was begun is open until the visit ends, or it has been ended for another reason.
  void note_batch() noexcept {
    if (tenant_.in_batch())
      set_batch(batch::open);
    else if (batch_now() == batch::open)
      set_batch(batch::over);
  }
  std::exception_ptr leave_batch() noexcept override {
    tenant_.leave_batch();
    return tenant_.batch_failure();
  }

  void keep_at_work() noexcept override {
    try {
      if (!closing_work_) closing_work_.emplace(work_of<Executor>::start(inner_executor_));
    } catch (...) {
      // An executor of the user's that fails at that: its context may stop before the resource is closed.
    }
  }
  void let_rest() noexcept override { closing_work_.reset(); }

  void destroy_resource() noexcept override {
    if (!strand_) return;
    closing_work_.reset();
    tenant_.vacate();
    strand_.reset();
    posting_strand_.reset();
    // It may be a strand as well, which must not outlive its context.
    if constexpr (!is_context_executor<Executor>) [[maybe_unused]]
      const Executor gone = std::move(inner_executor_);
  }

  void destroy() noexcept override {
    abandon_parked();
    destroy_resource();
    memory_.when_idle([](void* self) noexcept { delete static_cast<home*>(self); }, this);
  }

  reserved_memory<2> memory_;
  // Empty: the resource is gone, and home with it.
  std::optional<posting_strand_t<Executor>> posting_strand_;
  std::optional<asio::strand<Executor>> strand_;
  tenant<Resource, Observer> tenant_;
  Executor inner_executor_;
  coroutine_watch coroutines_;
  std::optional<work_t<Executor>> closing_work_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_HPP
