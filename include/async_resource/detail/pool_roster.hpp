// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_POOL_ROSTER_HPP
#define ASYNC_RESOURCE_DETAIL_POOL_ROSTER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The members of a pool: how many there are to be, which of them are idle, and which leave. Guarded by the pool's
// mutex.
//
//   idle --> awake --> idle       found nothing to do
//                  --> resting    likewise, but it takes nothing from the queue any more
//   resting --> awake             has to leave, or was given something of its own
//   awake --> gone
template <class Member>
class pool_roster {
 public:
  using owner = std::shared_ptr<Member>;
  using phase = typename Member::phase;

  // Those that serve, and are numbered. The others leave.
  std::size_t size() const noexcept { return size_; }
  const owner& numbered(std::size_t number) const noexcept { return members_[number % size_]; }

  // Those, and those that leave and have not left. How often that has changed.
  const std::vector<owner>& all() const noexcept { return members_; }
  std::uint64_t changes() const noexcept { return changes_; }
  bool any_leaves() const noexcept { return leaving_ > 0; }

  // Whether it takes what is queued; one that leaves does if the whole pool is closed.
  bool serves(const Member& member) const noexcept {
    return !member.status.poisoned && !member.status.departing && (!member.status.leaving || closing_);
  }
  bool nobody_serves() const noexcept {
    return std::ranges::none_of(members_, [this](const owner& member) { return serves(*member); });
  }

  // Throws if there is no memory; then nothing has changed.
  void add(owner&& member) {
    idle_.reserve(members_.size() + 1);
    const auto place = members_.begin() + static_cast<std::ptrdiff_t>(size_);
    idle_.push_back(members_.insert(place, std::move(member))->get());
    ++size_;
    ++changes_;
  }
  owner remove(Member& member) noexcept {
    const auto place = std::ranges::find(members_, &member, &owner::get);
    if (place - members_.begin() < static_cast<std::ptrdiff_t>(size_)) --size_;
    owner removed = std::move(*place);
    members_.erase(place);
    ++changes_;
    member.status.now = phase::gone;
    if (member.status.leaving) --leaving_;
    return removed;
  }

  // From that number on they leave.
  void dismiss_from(std::size_t first) noexcept {
    for (std::size_t i = first; i < size_; ++i) {
      auto& status = members_[i]->status;
      status.leaving = true;
      ++leaving_;
      if (status.now != phase::idle) continue;
      std::erase(idle_, members_[i].get());
      status.now = phase::resting;
    }
    size_ = first;
  }
  void dismiss_all() noexcept {
    closing_ = true;
    dismiss_from(0);
  }
  bool closing() const noexcept { return closing_; }
  // Their homes have gone.
  void forget_numbers() noexcept { size_ = 0; }

  // What these return is for the caller to start, once the mutex is unlocked, while `pool` lives. Null: there is none.
  template <class Pool>
  [[nodiscard]] Member* wake_one(Pool& pool) noexcept {
    return idle_.empty() ? nullptr : wake(*idle_.back(), pool);
  }
  // One that has nothing to do any more but to leave.
  template <class Pool>
  [[nodiscard]] Member* wake_leaving(Pool& pool) noexcept {
    const auto place = std::ranges::find_if(members_, [](const owner& member) { return can_leave(*member); });
    return place == members_.end() ? nullptr : wake(**place, pool);
  }
  // It has been given something of its own: it looks, if it would not otherwise.
  template <class Pool>
  [[nodiscard]] Member* wake_if_asleep(Member& member, Pool& pool) noexcept {
    return member.status.now == phase::idle || can_leave(member) ? wake(member, pool) : nullptr;
  }

  // By an awake member that has found nothing to do. What it owned of the pool.
  auto put_to_rest(Member& member) noexcept {
    auto& status = member.status;
    status.now = status.leaving || status.poisoned ? phase::resting : phase::idle;
    if (status.now == phase::idle) idle_.push_back(&member);
    return std::move(status.pool);
  }

 private:
  static bool can_leave(const Member& member) noexcept {
    const auto& status = member.status;
    return status.leaving && status.now == phase::resting && status.entering == 0;
  }

  template <class Pool>
  Member* wake(Member& member, Pool& pool) noexcept {
    std::erase(idle_, &member);
    member.status.now = phase::awake;
    member.status.pool = pool.shared_from_this();
    return &member;
  }

  std::vector<owner> members_;  // The first size_ of them serve, the others leave.
  std::size_t size_ = 0, leaving_ = 0;
  std::vector<Member*> idle_;
  std::uint64_t changes_ = 0;
  bool closing_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_POOL_ROSTER_HPP
