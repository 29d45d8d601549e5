// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_HOME_PTR_HPP
#define ASYNC_RESOURCE_HOME_PTR_HPP

#include <cstddef>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/detail/access.hpp>
#include <async_resource/detail/home.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/makes.hpp>
#include <async_resource/detail/user_code.hpp>
#include <async_resource/error.hpp>

namespace asyncres {
inline namespace v0 {

/// Whether an object whose home is gone is left alone rather than destroyed elsewhere. Specialise it with `true` for a
/// type that can only be destroyed at home.
template <class T>
inline constexpr bool leak_when_homeless = false;

template <class T>
class home_ptr;

template <class T, class Handle, class... Args>
[[nodiscard]] home_ptr<T> make_home_ptr(const Handle& handle, Args&&... args);

namespace detail {

// An object and, in the same block, the task that destroys it at home.
template <class T>
class home_object final : public home_task {
 public:
  template <class... Args>
  explicit home_object(home_ref<home_base> home, Args&&... args)
      : home_(std::move(home)), object_(make_of<T>(std::forward<Args>(args)...)) {
    set_stamp({0, task_stamp::anytime, {}});
  }

  T& object() noexcept { return object_; }

  void drop() noexcept {
    if (home_->try_submit(*this)) return;
    const home_ref<home_base> home = home_;
    abandon(nullptr);
    home->lose_guest();
  }

  void run(home_base& home) noexcept override {
    {
      const user_code now(&home);
      delete this;
    }
    home.remove_guest();
  }

  void abandon(home_base* draining) noexcept override {
    const user_code now(draining);
    if constexpr (leak_when_homeless<T>)
      home_ = {};  // The memory of home need not leak as well.
    else
      delete this;
  }

  void fail(std::error_code, home_base* draining) noexcept override {
    abandon(draining);
    if (draining) draining->forget_guest();
  }

 private:
  home_ref<home_base> home_;
  T object_;
};

}  // namespace detail

/// A pointer to an object that belongs to a resource's home, and dies there wherever the pointer is dropped.
/**
 * Like a `std::unique_ptr`: move-only, may be empty. Dropping it is `noexcept` and never refused: the object is
 * destroyed on the strand of the resource, as one more entry of its queue. If home's execution context has been shut
 * down, the object is destroyed where it is dropped, or left alone if `leak_when_homeless<T>`.
 *
 * Made by make_home_ptr(). Keeps the resource alive, and closing it waits: a resource must not own one of its own
 * home's that it does not drop when asked to.
 *
 * @par Thread Safety
 * Distinct objects: safe. Shared objects: unsafe. What it points to may be touched at home only, unless it says
 * otherwise.
 */
template <class T>
class home_ptr {
 public:
  using element_type = T;
  using pointer = T*;

  home_ptr() noexcept = default;
  home_ptr(std::nullptr_t) noexcept {}
  home_ptr(home_ptr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  home_ptr& operator=(home_ptr&& other) noexcept {
    home_ptr(std::move(other)).swap(*this);
    return *this;
  }
  ~home_ptr() { reset(); }

  /// Drops the object.
  void reset() noexcept {
    if (auto* const object = std::exchange(object_, nullptr)) object->drop();
  }
  void swap(home_ptr& other) noexcept { std::swap(object_, other.object_); }

  [[nodiscard]] T* get() const noexcept { return object_ ? std::addressof(object_->object()) : nullptr; }
  T& operator*() const noexcept { return object_->object(); }
  T* operator->() const noexcept { return get(); }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  friend bool operator==(const home_ptr& pointer, std::nullptr_t) noexcept { return !pointer; }

 private:
  template <class U, class Handle, class... Args>
  friend home_ptr<U> make_home_ptr(const Handle& handle, Args&&... args);

  explicit home_ptr(detail::home_object<T>* object) noexcept : object_(object) {}

  detail::home_object<T>* object_ = nullptr;
};

/// Makes an object that dies at the home of a resource.
/**
 * @param handle The resource's handle, or a lease of it. Or a pool: then it is the home of the member whose function
 *               calls this.
 * @param args   What the object is constructed from: `T(args...)`, or `T{args...}` for an aggregate.
 *
 * @par Errors
 * Throws `std::system_error` with `errc::not_at_home` when called anywhere but on the strand of the resource, with
 * `errc::closed` if the resource has been closed, and what constructing the object or allocating may throw.
 */
template <class T, class Handle, class... Args>
home_ptr<T> make_home_ptr(const Handle& handle, Args&&... args) {
  const auto home = detail::access::home_here(handle);
  if (!home) throw std::system_error(errc::not_at_home);
  if (home->closed()) throw std::system_error(errc::closed);
  auto* const object = new detail::home_object<T>(home, std::forward<Args>(args)...);
  home->add_guest();
  return home_ptr<T>(object);
}

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_HOME_PTR_HPP
