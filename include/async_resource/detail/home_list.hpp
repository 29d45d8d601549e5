// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_HOME_LIST_HPP
#define ASYNC_RESOURCE_DETAIL_HOME_LIST_HPP

#include <mutex>

#include <async_resource/detail/homebound.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// All homes: none knows the contexts that its operations came from, nor they it.
class home_list {
 public:
  // The context of `origin` is shut down: takes from every home what is on its way there. What is returned has to be
  // dropped, by a thread that holds no lock.
  static task_list evict_from_all(const homebound& origin) noexcept {
    task_list orphans;
    const std::lock_guard lock(mutex_);
    for (entry* each = first_; each; each = each->next_) each->evict_(each->home_, origin, orphans);
    return orphans;
  }

  // Takes out of a home what was to go back to `origin`. Functions that were queued stay queued. Not virtual: what
  // derives from the home is made and destroyed while it is listed, which writes what a virtual call reads.
  using evict_function = void (*)(void* home, const homebound& origin, task_list& orphans) noexcept;

  // To be the last member of a home, so that it is listed while it is whole.
  class entry {
   public:
    entry(void* home, evict_function evict) noexcept : home_(home), evict_(evict) {
      const std::lock_guard lock(mutex_);
      next_ = first_;
      if (first_) first_->previous_ = this;
      first_ = this;
    }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    ~entry() {
      const std::lock_guard lock(mutex_);
      (previous_ ? previous_->next_ : first_) = next_;
      if (next_) next_->previous_ = previous_;
    }

   private:
    friend home_list;

    void* const home_;
    const evict_function evict_;
    entry* previous_ = nullptr;
    entry* next_ = nullptr;
  };

 private:
  inline static constinit std::mutex mutex_;
  inline static constinit entry* first_ = nullptr;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_HOME_LIST_HPP
