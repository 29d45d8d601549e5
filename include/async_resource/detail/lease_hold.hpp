// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_LEASE_HOLD_HPP
#define ASYNC_RESOURCE_DETAIL_LEASE_HOLD_HPP

#include <cstdint>
#include <exception>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <async_resource/detail/home_base.hpp>
#include <async_resource/detail/home_ref.hpp>
#include <async_resource/detail/outcome.hpp>
#include <async_resource/detail/task.hpp>
#include <async_resource/detail/tenant.hpp>
#include <async_resource/detail/user_code.hpp>

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
  // For an operation that has not ended when it gets the lease, but when it says so: its function has been called; it
  // is through, and may have failed with something.
  void note_called() noexcept { called_ = true; }
  void finish(std::exception_ptr failure) noexcept {
    end_ = called_ ? ending::finished : ending::uncalled;
    if (called_)
      failure_ = std::move(failure);
    else
      why_uncalled_ = to_error_code(failure);  // Now: it is the handler's soon.
  }

  // This thread blocks to get it.
  void note_waiter() noexcept { waiter_ = std::this_thread::get_id(); }
  // It has submitted something.
  void use() noexcept { used_ = true; }

  // At home, in a function.
  void begin() noexcept {
    held_ = true;
    home_->note_leaseholder(waiter_);
    home_->begin_lease(number_);
  }

  // By any thread. The last thing to be done with it.
  void drop() noexcept {
    if (!held_) return delete this;
    home_->note_leaseholder({});
    if (home_->try_submit(*this)) return;
    home_->lose_lease(number_);
    delete this;
  }

  void run(home_base& home) noexcept override {
    {
      const user_code now(&home);
      switch (end_) {
        case ending::finished: home_->note_ended(failure_); break;
        case ending::uncalled: home_->note_uncalled(why_uncalled_); break;
        case ending::released:
          if (used_ && !committed_) home_->roll_back();
      }
    }
    home.end_lease(number_);
    delete this;
  }
  // The busy queue keeps home.
  void abandon(home_base*) noexcept override { delete this; }
  void fail(std::error_code, home_base*) noexcept override { delete this; }

 private:
  enum class ending : unsigned char { released, finished, uncalled };

  ~lease_hold() = default;

  home_ref<Home> home_;
  const std::uint32_t number_;
  bool held_ = false;
  bool used_ = false;
  bool committed_ = false;
  bool called_ = false;
  ending end_ = ending::released;
  std::exception_ptr failure_;
  std::error_code why_uncalled_;
  std::thread::id waiter_;
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
  void note_waiter() noexcept { hold->note_waiter(); }
  bool ends_later() const noexcept { return false; }
};

template <class Lease, class Home>
inline constexpr bool runs_alone<leasing<Lease, Home>> = true;

// The function of an operation that asks for a lease of one of the members: made where it runs.
template <class Lease, class Home>
struct pool_leasing {
  Home* home = nullptr;

  template <class Resource>
  Lease operator()(Resource& resource) {
    home->add_owner();
    const home_ref<Home> owner(home);
    return leasing<Lease, Home>{lease_owner<Home>(new lease_hold<Home>(owner))}(resource);
  }
  bool ends_later() const noexcept { return false; }
};

template <class Lease, class Home>
inline constexpr bool runs_alone<pool_leasing<Lease, Home>> = true;

// Which member it is, for a function that has to know.
template <class Function, class Home>
void tell_home(Function&, Home&) noexcept {}
template <class Lease, class Home>
void tell_home(pool_leasing<Lease, Home>& function, Home& home) noexcept {
  function.home = &home;
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_LEASE_HOLD_HPP
