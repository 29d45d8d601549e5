// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/async_resource.hpp>
#include <async_resource/double_dispatch.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <asio.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <limits>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "support/contexts.hpp"

// Promises 4 and 10: the associated allocator, whatever it is, gives the one block of an operation, gets it back before
// the handler runs, and may fail.

using asyncres::async_resource;

namespace {

using polymorphic_allocator = std::pmr::polymorphic_allocator<std::byte>;

// Counts what is taken from another memory resource.
class watched_memory final : public std::pmr::memory_resource {
 public:
  explicit watched_memory(std::pmr::memory_resource& upstream) : upstream_(&upstream) {}

  int allocations() const { return allocations_; }
  int live() const { return live_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const block = upstream_->allocate(bytes, alignment);
    ++allocations_, ++live_;
    return block;
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    --live_;
    upstream_->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::pmr::memory_resource* upstream_;
  std::atomic<int> allocations_{0};
  std::atomic<int> live_{0};
};

// Room for one block at a time. Without a lock: the operation that uses it has to hand it on properly.
class one_block final : public std::pmr::memory_resource {
 public:
  bool taken() const { return taken_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (taken_ || bytes > memory_.size() || alignment > alignof(std::max_align_t)) throw std::bad_alloc();
    taken_ = true;
    return memory_.data();
  }
  void do_deallocate(void*, std::size_t, std::size_t) override { taken_ = false; }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  alignas(std::max_align_t) std::array<std::byte, 4'096> memory_;
  bool taken_ = false;
};

// Fails from the n-th allocation on, until told otherwise.
class failing_memory final : public std::pmr::memory_resource {
 public:
  void fail_after(int allocations) { left_ = allocations; }
  void recover() { left_ = std::numeric_limits<int>::max(); }
  int live() const { return live_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (left_-- <= 0) throw std::bad_alloc();
    ++live_;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    --live_;
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::atomic<int> left_{std::numeric_limits<int>::max()};
  std::atomic<int> live_{0};
};

// As polymorphic_allocator, without the constructor that passes itself on.
template <class T>
class plain_allocator {
 public:
  using value_type = T;

  explicit plain_allocator(std::pmr::memory_resource& memory) noexcept : memory_(&memory) {}
  template <class U>
  plain_allocator(const plain_allocator<U>& other) noexcept : memory_(other.memory()) {}

  T* allocate(std::size_t n) { return static_cast<T*>(memory_->allocate(n * sizeof(T), alignof(T))); }
  void deallocate(T* block, std::size_t n) noexcept { memory_->deallocate(block, n * sizeof(T), alignof(T)); }
  std::pmr::memory_resource* memory() const noexcept { return memory_; }

  template <class U>
  friend bool operator==(const plain_allocator& a, const plain_allocator<U>& b) noexcept {
    return a.memory() == b.memory();
  }

 private:
  std::pmr::memory_resource* memory_;
};

// A pointer that is no pointer.
template <class T>
class fancy_pointer {
 public:
  using element_type = T;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using reference = T&;
  using pointer = fancy_pointer;
  using iterator_category = std::random_access_iterator_tag;
  template <class U>
  using rebind = fancy_pointer<U>;

  fancy_pointer() = default;
  fancy_pointer(std::nullptr_t) noexcept {}
  explicit fancy_pointer(T* raw) noexcept : raw_(raw) {}
  static fancy_pointer pointer_to(T& object) noexcept { return fancy_pointer(std::addressof(object)); }

  T& operator*() const noexcept { return *raw_; }
  T* operator->() const noexcept { return raw_; }
  explicit operator bool() const noexcept { return raw_ != nullptr; }
  friend bool operator==(const fancy_pointer&, const fancy_pointer&) noexcept = default;

 private:
  T* raw_ = nullptr;
};

// With state that cannot be made up, a parameter that is no type, and pointers of its own.
template <class T, int Parameter>
class fancy_allocator final {
 public:
  using value_type = T;
  using pointer = fancy_pointer<T>;
  using const_pointer = fancy_pointer<const T>;
  template <class U>
  struct rebind {
    using other = fancy_allocator<U, Parameter>;
  };

  explicit fancy_allocator(std::atomic<int>& live) noexcept : live_(&live) {}
  template <class U>
  explicit fancy_allocator(const fancy_allocator<U, Parameter>& other) noexcept : live_(other.live()) {}

  pointer allocate(std::size_t n) {
    ++*live_;
    return pointer(std::allocator<T>().allocate(n));
  }
  void deallocate(pointer block, std::size_t n) noexcept {
    --*live_;
    std::allocator<T>().deallocate(block.operator->(), n);
  }
  std::atomic<int>* live() const noexcept { return live_; }

  template <class U>
  friend bool operator==(const fancy_allocator& a, const fancy_allocator<U, Parameter>& b) noexcept {
    return a.live() == b.live();
  }

 private:
  std::atomic<int>* live_;
};

constexpr auto increment = [](int& i) { return ++i; };

}  // namespace

TEST_CASE("operations live in a buffer on the stack that has nothing behind it", "[async_resource][allocators]") {
  constexpr int operations = 20;
  alignas(std::max_align_t) std::array<std::byte, operations * 2'048> buffer;
  std::pmr::monotonic_buffer_resource memory(buffer.data(), buffer.size(), std::pmr::null_memory_resource());
  watched_memory watched(memory);

  asio::io_context home;
  asio::io_context callers;
  const auto resource = asyncres::make_async_resource<int>(home, 0);
  int sum = 0;
  for (int i = 0; i < operations; ++i)
    resource.async_invoke(
        increment, asio::bind_allocator(polymorphic_allocator(&watched),
                                        asio::bind_executor(callers, [&](std::exception_ptr, int n) { sum += n; })));
  CHECK(watched.live() == operations);
  home.run();
  CHECK(watched.allocations() == operations);
  callers.run();
  CHECK(sum == operations * (operations + 1) / 2);
  CHECK(watched.allocations() == operations);
  CHECK(watched.live() == 0);
}

TEST_CASE("on one thread an allocator needs no lock", "[async_resource][allocators]") {
  std::pmr::unsynchronized_pool_resource pool;
  watched_memory watched(pool);
  asio::io_context context;
  const auto resource = asyncres::make_async_resource<int>(context, 0);
  struct loop {
    const async_resource<asio::io_context::executor_type, int>& resource;
    watched_memory& memory;
    int handled = 0;

    void start(int rounds) {
      resource.async_invoke(
          increment, asio::bind_allocator(polymorphic_allocator(&memory), [this, rounds](std::exception_ptr, int) {
            ++handled;
            if (rounds > 1) start(rounds - 1);
          }));
    }
  } loop{resource, watched};
  for (int i = 0; i < 100; ++i) loop.start(10);
  context.run();
  CHECK(loop.handled == 1'000);
  CHECK(watched.allocations() == 1'000);
  CHECK(watched.live() == 0);
}

// Asio's rule for handlers' memory: what the handler starts next may have it.
TEMPLATE_TEST_CASE("the block of an operation is there for the next one when its handler runs",
                   "[async_resource][allocators]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  one_block memory;
  testing::event ended;
  std::atomic<bool> failed{false};
  std::atomic<int> handled{0};
  {
    TestType home;
    TestType callers;
    const auto resource = asyncres::make_async_resource<int>(home.context(), 0);
    const auto dispatched = home.get_executor();
    struct loop {
      decltype(resource)& there;
      decltype(dispatched)& executor;
      decltype(callers.get_executor()) mine;
      one_block& memory;
      std::atomic<bool>& failed;
      std::atomic<int>& handled;
      testing::event& ended;

      // In turn through the resource and through its executor alone.
      void start(int rounds) {
        auto handler = asio::bind_allocator(polymorphic_allocator(&memory),
                                            asio::bind_executor(mine, [this, rounds](std::exception_ptr, int) {
                                              ++handled;
                                              if (memory.taken()) failed = true;
                                              if (rounds > 1 && !failed) return restart(rounds - 1);
                                              ended.set();
                                            }));
        if (rounds % 2)
          there.async_invoke(increment, std::move(handler));
        else
          asyncres::double_dispatch(
              executor, [] { return 1; }, std::move(handler));
      }
      void restart(int rounds) {
        try {
          start(rounds);
        } catch (const std::bad_alloc&) {
          failed = true;
          ended.set();
        }
      }
    } loop{resource, dispatched, callers.get_executor(), memory, failed, handled, ended};
    loop.restart(1'000);
    CHECK(ended.wait());
  }
  CHECK_FALSE(failed);
  CHECK(handled == 1'000);
  CHECK_FALSE(memory.taken());
}

TEMPLATE_TEST_CASE("an allocator may have a state, parameters of its own and pointers that are none",
                   "[async_resource][allocators]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  std::atomic<int> live{0};
  std::atomic<int> live_in_handler{-1};
  std::atomic<int> live_in_function{-1};
  TestType home;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  resource.async_invoke([&](int&) { live_in_function = live.load(); },
                        asio::bind_allocator(fancy_allocator<std::byte, 1>(live),
                                             [&](std::exception_ptr) { live_in_handler = live.load(); }));
  home.join();
  CHECK(live_in_function == 1);
  CHECK(live_in_handler == 0);
  CHECK(live == 0);
}

TEMPLATE_TEST_CASE("functions, results and handlers are aligned as they want to be", "[async_resource][allocators]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  struct alignas(64) wide {
    bool aligned() const { return reinterpret_cast<std::uintptr_t>(this) % alignof(wide) == 0; }
    int value = 1;
  };
  watched_memory memory(*std::pmr::new_delete_resource());
  std::atomic<int> aligned{0};
  TestType home;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  resource.async_invoke(
      [&aligned, own = wide()](int&) {
        aligned += own.aligned();
        return own;
      },
      asio::bind_allocator(polymorphic_allocator(&memory),
                           [&aligned, own = wide()](std::exception_ptr, const wide& result) {
                             aligned += own.aligned() + result.aligned();
                           }));
  home.join();
  CHECK(aligned == 3);
  CHECK(memory.allocations() == 1);
  CHECK(memory.live() == 0);
}

namespace {

// Counts its own, and the calls.
struct account {
  std::atomic<int> alive{0};
  std::atomic<int> called{0};
};
class entry {
 public:
  explicit entry(account& a) : account_(&a) { ++account_->alive; }
  entry(entry&& other) noexcept : account_(std::exchange(other.account_, nullptr)) {}
  entry& operator=(entry&&) = delete;
  ~entry() {
    if (account_) --account_->alive;
  }

  template <class... Args>
  void operator()(Args&&...) const {
    ++account_->called;
  }

 private:
  account* account_;
};

}  // namespace

TEMPLATE_TEST_CASE("an allocator that fails leaves the caller with a throw and nothing else changed",
                   "[async_resource][allocators]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  failing_memory memory;
  account functions;
  account handlers;
  int refused = 0;
  asio::io_context callers;
  {
    TestType home;
    const auto resource = asyncres::make_async_resource<int>(home.context(), 0);
    const auto submit = [&] {
      resource.async_invoke(
          [function = entry(functions)](int& i) { function(), ++i; },
          asio::bind_allocator(polymorphic_allocator(&memory), asio::bind_executor(callers, entry(handlers))));
    };
    SECTION("to an idle resource") {
      // From an allocation that fails at once to one that does not fail any more.
      for (int allocations = 0;; ++allocations) {
        memory.fail_after(allocations);
        try {
          submit();
          break;
        } catch (const std::bad_alloc&) {
          ++refused;
        }
        CHECK(functions.alive == 0);
        CHECK(handlers.alive == 0);
        CHECK(memory.live() == 0);
      }
      home.join();
      CHECK(functions.called == 1);
      CHECK(callers.run() == 1);
      CHECK(handlers.called == 1);
    }
    SECTION("to a busy one, with others before and behind") {
      testing::event held;
      testing::event release;
      resource.async_invoke(
          [&](int&) {
            held.set();
            (void)release.wait();
          },
          asio::detached);
      const bool was_held = held.wait();
      submit();
      memory.fail_after(0);
      for (int i = 0; i < 10; ++i) try {
          submit();
        } catch (const std::bad_alloc&) {
          ++refused;
        }
      memory.recover();
      submit();
      CHECK(functions.alive == 2);
      CHECK(handlers.alive == 2);
      CHECK(memory.live() == 2);
      release.set();
      home.join();
      CHECK(was_held);
      CHECK(refused == 10);
      CHECK(functions.called == 2);
      CHECK(callers.run() == 2);
      CHECK(handlers.called == 2);
    }
    SECTION("to an operation that is started later") {
      auto operation = resource.async_invoke([function = entry(functions)](int& i) { function(), ++i; });
      memory.fail_after(0);
      CHECK_THROWS_AS(std::move(operation)(asio::bind_allocator(polymorphic_allocator(&memory),
                                                                asio::bind_executor(callers, entry(handlers)))),
                      std::bad_alloc);
      ++refused;
      memory.recover();
      CHECK(resource.async_invoke(increment, asio::use_future).get() == 1);
      home.join();
      CHECK(functions.called == 0);
      CHECK(callers.run() == 0);
      CHECK(handlers.called == 0);
    }
    SECTION("to a double dispatch") {
      memory.fail_after(0);
      CHECK_THROWS_AS(asyncres::double_dispatch(home.get_executor(), entry(functions),
                                                asio::bind_allocator(polymorphic_allocator(&memory),
                                                                     asio::bind_executor(callers, entry(handlers)))),
                      std::bad_alloc);
      ++refused;
      home.join();
      CHECK(functions.called == 0);
      CHECK(callers.run() == 0);
      CHECK(handlers.called == 0);
    }
  }
  CHECK(refused > 0);
  CHECK(functions.alive == 0);
  CHECK(handlers.alive == 0);
  CHECK(memory.live() == 0);
}

TEMPLATE_TEST_CASE("a handler that was to be copied is still the caller's when the allocator fails",
                   "[async_resource][allocators]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  failing_memory memory;
  TestType home;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  testing::log<int> seen;
  const auto owned = std::make_shared<int>(7);
  const auto function = [owned](int& i) { return i += *owned; };
  auto handler =
      asio::bind_allocator(polymorphic_allocator(&memory), [owned, &seen](std::exception_ptr, int n) { seen.add(n); });
  memory.fail_after(0);
  CHECK_THROWS_AS(resource.async_invoke(function, handler), std::bad_alloc);
  CHECK(owned.use_count() == 3);
  memory.recover();
  resource.async_invoke(function, handler);
  home.join();
  CHECK(seen.values() == std::vector{7});
  CHECK(owned.use_count() == 3);
}

TEMPLATE_TEST_CASE("a handler may catch that its next operation finds no memory, and try again",
                   "[async_resource][allocators]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  failing_memory memory;
  TestType home;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  testing::log<int> seen;
  int refused = 0;
  const auto start = [&](auto&& handler) {
    resource.async_invoke(increment, asio::bind_allocator(polymorphic_allocator(&memory), std::move(handler)));
  };
  start([&](std::exception_ptr, int n) {
    seen.add(n);
    memory.fail_after(0);
    try {
      start([&](std::exception_ptr, int) { seen.add(-1); });
    } catch (const std::bad_alloc&) {
      ++refused;
    }
    memory.recover();
    start([&](std::exception_ptr, int next) { seen.add(next); });
  });
  home.join();
  CHECK(refused == 1);
  CHECK(seen.values() == std::vector{1, 2});
  CHECK(memory.live() == 0);
}

TEMPLATE_TEST_CASE("use_future with an allocator that fails throws, at whichever of its blocks",
                   "[async_resource][allocators]", ASYNC_RESOURCE_TEST_CONTEXTS) {
  // For good: use_future completes on a thread of system_executor's, which may give blocks back after all is over.
  static failing_memory memory;
  TestType home;
  const auto resource = asyncres::make_async_resource<int>(home.context(), 0);
  const auto token = asio::use_future.rebind(plain_allocator<std::byte>(memory));
  int refused = 0;
  std::optional<std::future<int>> future;
  for (int allocations = 0; !future; ++allocations) {
    memory.fail_after(allocations);
    try {
      future = resource.async_invoke(increment, token);
    } catch (const std::bad_alloc&) {
      ++refused;
      CHECK(memory.live() == 0);
    }
  }
  CHECK(refused >= 2);
  CHECK(future->get() == 1);
}
