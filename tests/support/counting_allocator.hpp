// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_COUNTING_ALLOCATOR_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_COUNTING_ALLOCATOR_HPP

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>

namespace testing {

struct allocation_count {
  std::atomic<int> allocations{0};
  std::atomic<int> live{0};
  std::atomic<bool> fail_next{false};
};

template <class T>
class counting_allocator {
 public:
  using value_type = T;

  explicit counting_allocator(allocation_count& count) noexcept : count_(&count) {}
  template <class U>
  counting_allocator(const counting_allocator<U>& other) noexcept : count_(other.count()) {}

  T* allocate(std::size_t n) {
    if (count_->fail_next.exchange(false)) throw std::bad_alloc();
    ++count_->allocations;
    ++count_->live;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* pointer, std::size_t n) noexcept {
    --count_->live;
    std::allocator<T>().deallocate(pointer, n);
  }

  allocation_count* count() const noexcept { return count_; }

  template <class U>
  friend bool operator==(const counting_allocator& a, const counting_allocator<U>& b) noexcept {
    return a.count() == b.count();
  }

 private:
  allocation_count* count_;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_COUNTING_ALLOCATOR_HPP
