// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_HPP

#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/context_registry.hpp>
#include <async_resource/detail/executor.hpp>
#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/one_shot.hpp>
#include <async_resource/detail/reserved_memory.hpp>
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

template <class Executor, class Resource>
class home final : public home_base {
 public:
  using inner_executor_type = Executor;
  using resource_type = Resource;

  template <class... Args>
  explicit home(home_site<Executor> site, const resource_options& options, Args&&... args)
      : home_base(std::visit([](const auto& s) { return registry_of(context_of(s)); }, site.strand), options),
        posting_strand_(std::move(site.strand)),
        strand_(std::visit([](const auto& s) { return asio::strand<Executor>(s); }, *posting_strand_)),
        inner_executor_(std::move(site.inner_executor)) {
    void* const place = std::addressof(resource_);
    // Braces only where parentheses cannot: an aggregate.
    if constexpr (std::is_constructible_v<Resource, Args...>)
      ::new (place) Resource(std::forward<Args>(args)...);
    else
      ::new (place) Resource{std::forward<Args>(args)...};
    enrol();
  }

  // While home's context is there, hence with it pinned or from within it.
  const asio::strand<Executor>& strand() const noexcept { return *strand_; }
  // To be used then only, but to be copied whenever an initiation is asked for its executor.
  const Executor& inner_executor() const noexcept { return inner_executor_; }

  // At home, or before any function can run.
  Resource& resource() noexcept { return resource_; }

 private:
  ~home() {}  // Not defaulted: the resource, in its union, has been destroyed by then.

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

  void destroy_resource() noexcept override {
    if (!strand_) return;
    std::destroy_at(std::addressof(resource_));
    strand_.reset();
    posting_strand_.reset();
  }

  void destroy() noexcept override {
    if (strand_) {
      destroy_resource();
      std::destroy_at(std::addressof(inner_executor_));
    }
    memory_.when_idle([](void* self) noexcept { delete static_cast<home*>(self); }, this);
  }

  reserved_memory<2> memory_;
  // Empty: the resource is gone, and home with it.
  std::optional<posting_strand_t<Executor>> posting_strand_;
  std::optional<asio::strand<Executor>> strand_;
  // Not destroyed if home's context went first: it may be a strand, which must not outlive its context.
  union {
    Executor inner_executor_;
  };
  union {
    Resource resource_;
  };
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_HPP
