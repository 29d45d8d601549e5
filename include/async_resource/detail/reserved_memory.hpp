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
// A strand needs two slots: one to queue the function, one to schedule itself. Others need one. What does not fit comes
// from the heap. No two sends may overlap: a slot is given back before the function in it runs, and it is the queue of
// the executor that orders the thread that gave it back before the thread that takes it next.
//
// Where a function is destroyed uncalled, two slots are given back in any order, so whoever owns the memory has to wait
// for both: when_idle().
template <std::size_t Slots>
class reserved_memory {
 public:
  reserved_memory() = default;
  reserved_memory(const reserved_memory&) = delete;
  reserved_memory& operator=(const reserved_memory&) = delete;

  void* allocate(std::size_t size, std::size_t alignment) {
    void* const pointer = take(size, alignment);
    ++in_use_;
    return pointer;
  }

  void deallocate(void* pointer, std::size_t alignment) noexcept {
    give_back(pointer, alignment);
    if (--in_use_ == 0 && when_idle_) when_idle_(owner_);
  }

  // Calls the function, which may destroy this object, as soon as nothing is in use. No more is taken then.
  void when_idle(void (*function)(void*) noexcept, void* owner) noexcept {
    if (in_use_ == 0) return function(owner);
    when_idle_ = function;
    owner_ = owner;
  }

 private:
  void* take(std::size_t size, std::size_t alignment) {
    if (alignment <= alignof(std::max_align_t))
      for (auto& slot : slots_)
        if (!slot.taken && size <= sizeof(slot.bytes)) {
          slot.taken = true;
          return slot.bytes;
        }
    return ::operator new(size, std::align_val_t(alignment));
  }

  void give_back(void* pointer, std::size_t alignment) noexcept {
    for (auto& slot : slots_)
      if (pointer == slot.bytes) {
        slot.taken = false;
        return;
      }
    ::operator delete(pointer, std::align_val_t(alignment));
  }

  struct slot_type {
    alignas(std::max_align_t) std::byte bytes[96];
    bool taken = false;
  };

  std::array<slot_type, Slots> slots_;
  std::size_t in_use_ = 0;
  void (*when_idle_)(void*) noexcept = nullptr;
  void* owner_ = nullptr;
};

// The allocator that hands a `reserved_memory` to an executor, as its `execution::allocator` property.
template <class T, std::size_t Slots>
class reserved_allocator {
 public:
  using value_type = T;

  explicit reserved_allocator(reserved_memory<Slots>& memory) noexcept : memory_(&memory) {}
  template <class U>
  struct rebind {
    using other = reserved_allocator<U, Slots>;
  };
  template <class U>
  reserved_allocator(const reserved_allocator<U, Slots>& other) noexcept : memory_(other.memory()) {}

  T* allocate(std::size_t n) { return static_cast<T*>(memory_->allocate(n * sizeof(T), alignof(T))); }
  void deallocate(T* pointer, std::size_t) noexcept { memory_->deallocate(pointer, alignof(T)); }

  reserved_memory<Slots>* memory() const noexcept { return memory_; }

  template <class U>
  friend bool operator==(const reserved_allocator& a, const reserved_allocator<U, Slots>& b) noexcept {
    return a.memory() == b.memory();
  }

 private:
  reserved_memory<Slots>* memory_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_RESERVED_MEMORY_HPP
