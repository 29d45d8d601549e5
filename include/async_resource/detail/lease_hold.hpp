// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_LEASE_HOLD_HPP
#define ASYNC_RESOURCE_DETAIL_LEASE_HOLD_HPP

#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/task.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A lease, as home sees it, and the task that ends it there.
//
//   wanted --begin--> held      at home, in the turn of the operation that asked for it
//   held   --run-->             at home, in the lease's own order: after what it submitted before it was dropped
//   held   --lost-->            home cannot be told, or has gone
template <class Home>
class lease_hold final : public home_task {
 public:
  explicit lease_hold(home_ref<Home> home) : home_(std::move(home)), number_(home_->next_lease()) {
    set_stamp({0, number_, {}});
  }

  const home_ref<Home>& home() const noexcept { return home_; }
  std::uint32_t number() const noexcept { return number_; }
  void commit() noexcept { committed_ = true; }

  // At home, in a function.
  void begin() noexcept {
    held_ = true;
    home_->begin_lease(number_);
  }

  // By any thread. The last thing to be done with it.
  void drop() noexcept {
    if (!held_) return delete this;
    home_->note_lease_dropped();
    if (home_->try_submit(*this)) return;
    home_->lose_lease(number_);
    delete this;
  }

  void run(home_base& home) noexcept override {
    if (!committed_) {
      const user_code now(&home);
      home_->roll_back();
    }
    home.end_lease(number_);
    delete this;
  }
  // The busy queue keeps home.
  void abandon(home_base*) noexcept override { delete this; }
  void fail(std::error_code, home_base*) noexcept override { delete this; }

 private:
  ~lease_hold() = default;

  home_ref<Home> home_;
  const std::uint32_t number_;
  bool held_ = false;
  bool committed_ = false;
};

struct drop_lease {
  template <class Home>
  void operator()(lease_hold<Home>* hold) const noexcept {
    hold->drop();
  }
};

// The owner of a lease, or of one that is wanted.
template <class Home>
using lease_owner = std::unique_ptr<lease_hold<Home>, drop_lease>;

// The function of the operation that asks for one.
template <class Lease, class Home>
struct leasing {
  lease_owner<Home> hold;

  template <class Resource>
  Lease operator()(Resource&) {
    hold->begin();
    return Lease(std::move(hold));
  }
};

template <class Lease, class Home>
inline constexpr bool runs_alone<leasing<Lease, Home>> = true;

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_LEASE_HOLD_HPP
