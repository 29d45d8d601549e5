// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_RESERVED_MEMORY_HPP
#define ASYNC_RESOURCE_DETAIL_RESERVED_MEMORY_HPP

#include <array>
#include <cstddef>
#include <memory>
#include <new>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Memory set aside for one function on its way to an executor, so that sending it cannot fail.
//
// There are two slots because a strand needs two pieces: one to queue the function, one to schedule itself. What does
// not fit comes from the heap. No two sends may overlap: a slot is given back before the function in it runs, and it is
// the queue of the executor that orders the thread that gave it back before the thread that takes it next.
class reserved_memory {
 public:
  reserved_memory() = default;
  reserved_memory(const reserved_memory&) = delete;
  reserved_memory& operator=(const reserved_memory&) = delete;

  void* allocate(std::size_t size, std::size_t alignment) {
    if (alignment <= alignof(std::max_align_t))
      for (auto& slot : slots_)
        if (!slot.taken && size <= sizeof(slot.bytes)) {
          slot.taken = true;
          return slot.bytes;
        }
    return ::operator new(size, std::align_val_t(alignment));
  }

  void deallocate(void* pointer, std::size_t alignment) noexcept {
    for (auto& slot : slots_)
      if (pointer == slot.bytes) {
        slot.taken = false;
        return;
      }
    ::operator delete(pointer, std::align_val_t(alignment));
  }

 private:
  struct slot_type {
    alignas(std::max_align_t) std::byte bytes[96];
    bool taken = false;
  };

  std::array<slot_type, 2> slots_;
};

// The allocator that hands a `reserved_memory` to an executor, as its `execution::allocator` property.
template <class T>
class reserved_allocator {
 public:
  using value_type = T;

  explicit reserved_allocator(reserved_memory& memory) noexcept : memory_(&memory) {}
  template <class U>
  reserved_allocator(const reserved_allocator<U>& other) noexcept : memory_(other.memory()) {}

  T* allocate(std::size_t n) { return static_cast<T*>(memory_->allocate(n * sizeof(T), alignof(T))); }
  void deallocate(T* pointer, std::size_t) noexcept { memory_->deallocate(pointer, alignof(T)); }

  reserved_memory* memory() const noexcept { return memory_; }

  template <class U>
  friend bool operator==(const reserved_allocator& a, const reserved_allocator<U>& b) noexcept {
    return a.memory() == b.memory();
  }

 private:
  reserved_memory* memory_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_RESERVED_MEMORY_HPP
