// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_ALLOCATION_COUNTER_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_ALLOCATION_COUNTER_HPP

// Counts what the whole process allocates, in whatever way. Replaces malloc and its family, so at most one source file
// of a program includes this.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_THREAD__)
#define ASYNC_RESOURCE_TESTS_THREAD_SANITIZED
#elif defined(__SANITIZE_ADDRESS__)
#define ASYNC_RESOURCE_TESTS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ASYNC_RESOURCE_TESTS_THREAD_SANITIZED
#elif __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define ASYNC_RESOURCE_TESTS_SANITIZED
#endif
#endif
#if defined(ASYNC_RESOURCE_TESTS_THREAD_SANITIZED)
#define ASYNC_RESOURCE_TESTS_SANITIZED
#endif

namespace testing {

// The heap of the process, between start() and stop(), which any threads may call. One count at a time.
class allocation_counter {
 public:
  static void start() noexcept {
    allocations_ = 0;
    counting_ = true;
  }
  // Returns the allocations since start().
  static long stop() noexcept {
    counting_ = false;
    return allocations_;
  }

  static void notice() noexcept {
    // Relaxed: who wants an exact count sees to it that what is to be counted happens between start() and stop().
    if (counting_.load(std::memory_order_relaxed)) allocations_.fetch_add(1, std::memory_order_relaxed);
  }

#if defined(ASYNC_RESOURCE_TESTS_SANITIZED) || defined(__GLIBC__)
  static constexpr bool works = true;
#else
  static constexpr bool works = false;
#endif
#if defined(ASYNC_RESOURCE_TESTS_THREAD_SANITIZED)
  // ThreadSanitizer tells of aligned operator new, not of aligned_alloc.
  static constexpr bool sees_aligned_alloc = false;
#else
  static constexpr bool sees_aligned_alloc = works;
#endif

 private:
  // Constant-initialised: malloc is called before any constructor runs.
  static constinit inline std::atomic<bool> counting_{false};
  static constinit inline std::atomic<long> allocations_{0};
};

}  // namespace testing

#if defined(ASYNC_RESOURCE_TESTS_SANITIZED)

// The sanitizers have a malloc and operators new of their own, and tell of each call.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*, std::size_t),
                                                         void (*free_hook)(const volatile void*));

namespace testing {

inline const int allocation_hooks = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { allocation_counter::notice(); }, [](const volatile void*) {});

}  // namespace testing

#elif defined(__GLIBC__)

// Every operator new of the standard library ends in one of these, unless a program replaces it. Weak: several files of
// a program may have them.
extern "C" {

void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* old, std::size_t size) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;
void* __libc_valloc(std::size_t size) noexcept;
void* __libc_pvalloc(std::size_t size) noexcept;

[[gnu::weak]] void* malloc(std::size_t size) noexcept {
  testing::allocation_counter::notice();
  return __libc_malloc(size);
}

[[gnu::weak]] void* calloc(std::size_t count, std::size_t size) noexcept {
  testing::allocation_counter::notice();
  return __libc_calloc(count, size);
}

[[gnu::weak]] void* realloc(void* old, std::size_t size) noexcept {
  testing::allocation_counter::notice();
  return __libc_realloc(old, size);
}

[[gnu::weak]] void* reallocarray(void* old, std::size_t count, std::size_t size) noexcept {
  if (size != 0 && count > SIZE_MAX / size) {
    errno = ENOMEM;
    return nullptr;
  }
  return realloc(old, count * size);
}

[[gnu::weak]] void* memalign(std::size_t alignment, std::size_t size) noexcept {
  testing::allocation_counter::notice();
  return __libc_memalign(alignment, size);
}

[[gnu::weak]] void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return memalign(alignment, size);
}

[[gnu::weak]] int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void* const block = memalign(alignment, size);
  if (!block) return ENOMEM;
  *result = block;
  return 0;
}

[[gnu::weak]] void* valloc(std::size_t size) noexcept {
  testing::allocation_counter::notice();
  return __libc_valloc(size);
}

[[gnu::weak]] void* pvalloc(std::size_t size) noexcept {
  testing::allocation_counter::notice();
  return __libc_pvalloc(size);
}

}  // extern "C"

#endif

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_ALLOCATION_COUNTER_HPP
