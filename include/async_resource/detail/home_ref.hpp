// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_REF_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_REF_HPP

#include <atomic>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace asyncres {
inline namespace v0 {
namespace detail {

// How many own a home: handles, operations, and its queue while that is busy. It starts with one.
class owner_count {
 public:
  // Relaxed: whoever adds an owner is one, or the busy queue's drain, and has synchronised already.
  void add() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  // True: they were the last. Release what these owners did; acquire, in the last one, what all others did.
  [[nodiscard]] bool remove(std::size_t n) noexcept { return owners_.fetch_sub(n, std::memory_order_acq_rel) == n; }
  // False: there is none any more. Relaxed: the caller sees to it that the home is there.
  [[nodiscard]] bool try_add() noexcept {
    std::size_t owners = owners_.load(std::memory_order_relaxed);
    while (owners > 0)
      if (owners_.compare_exchange_weak(owners, owners + 1, std::memory_order_relaxed)) return true;
    return false;
  }

 private:
  std::atomic<std::size_t> owners_{1};
};

// An owner of a home.
template <class Home>
class home_ref {
 public:
  home_ref() = default;
  // Adopts the owner that a new home starts with.
  explicit home_ref(Home* home) noexcept : home_(home) {}
  home_ref(const home_ref& other) noexcept : home_(other.home_) {
    if (home_) home_->add_owner();
  }
  home_ref(home_ref&& other) noexcept : home_(std::exchange(other.home_, nullptr)) {}
  home_ref& operator=(home_ref other) noexcept {
    std::swap(home_, other.home_);
    return *this;
  }
  ~home_ref() {
    if (home_) home_->release_owners(1);
  }

  template <class Base>
    requires std::is_base_of_v<Base, Home>
  operator home_ref<Base>() const noexcept {
    if (home_) home_->add_owner();
    return home_ref<Base>(home_);
  }

  // The owner that this was is now somebody else's to release.
  Home* release() noexcept { return std::exchange(home_, nullptr); }

  Home* operator->() const noexcept { return home_; }
  Home& operator*() const noexcept { return *home_; }
  explicit operator bool() const noexcept { return home_; }
  friend bool operator==(const home_ref& a, const home_ref& b) noexcept { return a.home_ == b.home_; }

 private:
  Home* home_ = nullptr;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_REF_HPP
