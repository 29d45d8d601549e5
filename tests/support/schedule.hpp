// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_SCHEDULE_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_SCHEDULE_HPP

#include <async_resource/home_ptr.hpp>
#include <async_resource/lease.hpp>
#include <async_resource/options.hpp>

#include <asio/any_completion_handler.hpp>
#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/contract_kinds.hpp"
#include "support/contract_model.hpp"
#include "support/error_codes.hpp"
#include "support/schedule_place.hpp"

namespace testing {

// What is said of a schedule, whatever kind of place it is of.
struct schedule_terms {
  enum : int { home, b, c };  // Places. The handlers of operations are called at one of them.
  enum class style { callback, strand, unbound, erased, coroutine, coroutine_on_strand };

  struct request {
    int caller = b;
    style how = style::callback;
    bool slot = true;
    bool by_lease = true;  // If there is one.
    bool error_code_form = false;
    bool function_throws = false;
    bool handler_throws = false;
    bool makes_pointer = false;  // Of a pool there is none: no handle names one of its members.
    std::function<void()> in_function = [] {};
    std::function<void()> in_handler = [] {};
  };

  using kinds = std::array<place::kind, 3>;
};

// A resource, its home, two contexts of callers, and one thread, which does what the test says. Tells a contract.
template <class Kind>
class schedule : public schedule_terms {
  static constexpr bool of_pool = std::is_same_v<Kind, on_pool>;

  static std::size_t index(int n) noexcept { return static_cast<std::size_t>(n); }

  template <class Handler>
  auto bind_slot(int id, Handler&& handler) {
    const auto slot = promises.has_slot(id) ? signals_[index(id)].slot() : asio::cancellation_slot();
    return asio::bind_cancellation_slot(slot, std::forward<Handler>(handler));
  }
  template <class Handler>
  auto bind(int id, const asio::any_io_executor& executor, Handler&& handler) {
    return bind_slot(id, asio::bind_executor(executor, std::forward<Handler>(handler)));
  }

 public:
  explicit schedule(kinds k, asyncres::resource_options options = {}, bool from_factory = false)
      : promises(options, of_pool), places_{place(k[home]), place(k[b]), place(k[c])} {
    const auto where = places_[home].executor();
    if constexpr (of_pool) {
      const auto make = [this](std::size_t) { return make_resident(); };
      handle_.emplace(where, 1, make, options);
    } else {
      if (from_factory)
        handle_.emplace(where, options, asyncres::from_factory, [this] { return make_resident(); });
      else
        handle_.emplace(where, options, std::in_place, *this);
      strand_ = handle_->get_executor();
    }
    if constexpr (std::is_same_v<Kind, on_lease>) take_lease();
  }
  schedule(const schedule&) = delete;
  ~schedule() { finish(); }  // No member may be left to tell of its end.

  contract promises;
  std::string trace;         // What the test has done, to be read by somebody.
  int factory_failures = 0;  // So often will the factory throw.

  bool there(int p) const noexcept { return places_[index(p)].there(); }
  bool inside(int p) const noexcept { return std::find(inside_.begin(), inside_.end(), p) != inside_.end(); }
  bool has_handle() const noexcept { return handle_.has_value(); }
  bool has_lease() const noexcept { return static_cast<bool>(lease_); }
  bool has_pointers() const noexcept { return !pointers_.empty(); }
  std::size_t operations() const noexcept { return signals_.size(); }
  asyncres::resource_stats stats() const { return handle_->stats(); }

  int submit(request r) {
    if (r.how == style::unbound) r.caller = home;
    r.by_lease = r.by_lease && has_lease();
    const std::string way = r.by_lease ? ", by lease" : "";
    note("submit " + std::to_string(operations()) + ", style " + std::to_string(int(r.how)) + way, r.caller);
    const bool coroutine = r.how == style::coroutine || r.how == style::coroutine_on_strand;
    const int id = promises.begin(
        r.caller, {.slot = r.slot, .erased = r.how == style::erased, .in_frame = coroutine, .of_lease = r.by_lease});
    signals_.emplace_back();
    if (r.error_code_form)
      start<std::error_code>(id, std::move(r));
    else
      start<std::exception_ptr>(id, std::move(r));
    return id;
  }

  int close(asyncres::close_mode mode, int caller = b, bool in_coroutine = false) {
    note(mode == asyncres::close_mode::drain ? "close" : "close and cancel", caller);
    const int id = promises.begin(caller, {.closes = true, .slot = true, .in_frame = in_coroutine});
    signals_.emplace_back();
    const auto executor = place_of(caller).executor();
    if (in_coroutine) {
      asio::co_spawn(executor, ask_to_close(id, mode, *handle_), bind_slot(id, asio::detached));
    } else {
      promises.submit(id, mode);
      auto handler = [this, id, life = handler_life(id)](std::error_code e) { tell(id, e, false); };
      call_out([&] { handle_->async_close(mode, bind(id, executor, std::move(handler))); }, id);
    }
    return id;
  }

  void emit(int id) {
    note("emit " + std::to_string(id));
    promises.cancel(id);
    call_out([&] { signals_[index(id)].emit(asio::cancellation_type::total); });
  }
  void cancel_all() {
    note("cancel all");
    promises.cancel_all();
    call_out([&] { handle_->cancel(); });
  }

  void drop_handle() {
    note("drop the handle");
    promises.drop_handle();
    call_out([&] { handle_.reset(); });
  }
  void end_lease() {
    note("end the lease");
    promises.end_lease();
    call_out([&] { lease_.release(); });
  }
  void drop_pointer() {
    note("drop a home_ptr");
    const auto pointer = std::exchange(pointers_.front(), {});
    pointers_.pop_front();
  }

  // One function. False: nothing was ready.
  bool step(int p) {
    note("step", p);
    inside_.push_back(p);
    bool stepped = true;
    try {
      stepped = place_of(p).step();
    } catch (const handler_failure&) {
      ++handlers_thrown_;
    }
    inside_.pop_back();
    if (!stepped) promises.idle(p);
    return stepped;
  }
  void run(int p) {
    note("run", p);
    while (there(p) && step(p)) continue;
  }
  void settle() {
    while ((there(home) && step(home)) || (there(b) && step(b)) || (there(c) && step(c))) continue;
    promises.settle();
    if (handle_) promises.settle(handle_->stats());
    promises.require(handlers_thrown_ == handlers_that_throw_, "a handler's exception came out of its executor, once");
  }

  void destroy(int p) {
    note("destroy", p);
    promises.begin_end_of(p);
    if (p == home) strand_.reset();
    place_of(p).destroy();
    promises.end_of(p);
  }

  // Whatever the test has done: brings it all to its end.
  void finish() {
    settle();
    while (has_pointers()) drop_pointer();
    settle();
    if (has_lease()) end_lease();
    settle();
    if (handle_) drop_handle();
    settle();
    for (const int p : {c, home, b})
      if (there(p)) destroy(p);
    promises.settle();
  }

 private:
  struct handler_failure {};

  struct resident {
    explicit resident(schedule& s) : in(s) { s.promises.make_resource(); }
    resident(const resident&) = delete;
    ~resident() { in.promises.end_resource(in.at_home()); }
    schedule& in;
  };

  using handle = typename Kind::template handle<resident>;
  using lease = asyncres::lease<asio::any_io_executor, resident>;
  using result = std::unique_ptr<mortal>;

  place& place_of(int p) noexcept { return places_[index(p)]; }
  // Nothing: cannot be said. A pool that nobody has a handle of, or that has no member any more, cannot be asked.
  std::optional<bool> on_strand() const {
    if constexpr (of_pool)
      return handle_ && promises.resource_is_there() ? std::optional(is_at_home(*handle_)) : std::nullopt;
    else
      return strand_ && strand_->running_in_this_thread();
  }
  bool at_home() const { return on_strand().value_or(!inside_.empty() && inside_.back() == home); }

  void take_lease() {
    const auto receive = [this](const std::exception_ptr&, lease held) { lease_ = std::move(held); };
    handle_->async_lease(asio::bind_executor(place_of(b).executor(), receive));
    while (place_of(home).step() || place_of(b).step()) continue;
    promises.take_lease();
  }

  resident make_resident() {
    if (factory_failures > 0) {
      --factory_failures;
      promises.fail_to_make_resource();
      throw std::system_error(contract::factory_failure());
    }
    return resident(*this);
  }

  template <class Call>
  void call_out(Call&& call, int id = contract::something) {
    const int before = promises.begin_call(id);
    call();
    promises.end_call(before);
  }

  mortal function_life(int id) {
    return mortal([this, id] { promises.end_function_object(id, at_home()); });
  }
  mortal handler_life(int id) {
    return mortal([this, id] { promises.end_handler(id); });
  }
  mortal result_life(int id) {
    return mortal([this, id] { promises.end_result(id, at_home()); });
  }

  void call(int id, const request& r, const asyncres::cancellation_view& view) {
    promises.begin_function(id, at_home() && inside_.back() == home);
    if constexpr (!of_pool)
      if (r.makes_pointer && handle_) {
        promises.make_pointer();
        pointers_.push_back(asyncres::make_home_ptr<mortal>(*handle_, [this] { promises.end_pointer(at_home()); }));
      }
    r.in_function();
    promises.end_function(id, r.function_throws, view.requested());
    if (r.function_throws) throw std::system_error(contract::function_failure());
  }

  void tell(int id, std::error_code code, bool has_result) {
    promises.tell(id, code, has_result, inside_, on_strand().value_or(false));
  }

  static std::error_code code_of(std::error_code code) noexcept { return code; }
  static std::error_code code_of(const std::exception_ptr& e) { return testing::code_of(e); }

  // A function of either form, and what receives its outcome.
  template <class Disposition, class Life>
  auto function(int id, const request& r, Life function_life) {
    if constexpr (std::is_same_v<Disposition, std::error_code>)
      return [this, id, r, life = std::move(function_life)](resident&, std::error_code&,
                                                            asyncres::cancellation_view view) { call(id, r, view); };
    else
      return [this, id, r, life = std::move(function_life)](resident&, asyncres::cancellation_view view) {
        call(id, r, view);
        promises.make_result(id);
        return std::make_unique<mortal>(result_life(id));
      };
  }
  template <class Disposition>
  auto handler(int id, const request& r) {
    return [this, id, r, life = handler_life(id)]<class... Results>(Disposition d, const Results&... results) {
      tell(id, code_of(d), (static_cast<bool>(results) || ...));
      r.in_handler();
      if (!r.handler_throws) return;
      ++handlers_that_throw_;
      throw handler_failure();
    };
  }

  // What was done, in what, and at which place.
  void note(const std::string& what) { trace.append(2 * inside_.size(), ' ').append(what).append("\n"); }
  void note(const std::string& what, int p) { note(what + " at " + "hbc"[p]); }

  template <class Disposition>
  void start(int id, const request& r) {
    place& at = place_of(r.caller);
    using signature = std::conditional_t<std::is_same_v<Disposition, std::error_code>, void(std::error_code),
                                         void(std::exception_ptr, result)>;
    switch (r.how) {
      case style::callback: return invoke<Disposition>(id, r, bind(id, at.executor(), handler<Disposition>(id, r)));
      case style::strand: return invoke<Disposition>(id, r, bind(id, at.new_strand(), handler<Disposition>(id, r)));
      case style::unbound: return invoke<Disposition>(id, r, bind_slot(id, handler<Disposition>(id, r)));
      case style::erased:
        return invoke<Disposition>(
            id, r, asio::any_completion_handler<signature>(bind(id, at.executor(), handler<Disposition>(id, r))));
      case style::coroutine: return spawn<Disposition>(id, r, at.executor());
      case style::coroutine_on_strand: return spawn<Disposition>(id, r, at.new_strand());
    }
  }

  template <class Disposition, class Handler>
  void invoke(int id, const request& r, Handler&& h) {
    promises.submit(id);
    const auto call = [&](const auto& door) {
      door.async_invoke(function<Disposition>(id, r, function_life(id)), std::forward<Handler>(h));
    };
    call_out([&] { r.by_lease ? call(lease_) : call(*handle_); }, id);
  }

  template <class Disposition>
  void spawn(int id, const request& r, const asio::any_io_executor& executor) {
    const auto start = [&](auto operation) {
      asio::co_spawn(executor, ask<Disposition>(id, r, std::move(operation)), bind_slot(id, asio::detached));
    };
    if (!r.by_lease)
      return start([this, id, r, resource = *handle_] {
        return resource.async_invoke(function<Disposition>(id, r, function_life(id)));
      });
    // Whoever submits need not have the lease any more. Only what has been submitted is a function in our books.
    auto life = std::make_shared<std::optional<mortal>>();
    auto operation = lease_.async_invoke(function<Disposition>(id, r, life));
    start([this, id, life = std::move(life), operation = std::move(operation)]() mutable {
      std::exchange(life, nullptr)->emplace(function_life(id));
      return std::move(operation);
    });
  }
  template <class Disposition, class Operation>
  asio::awaitable<void> ask(int id, request r, Operation operation) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    const mortal life = handler_life(id);
    std::error_code code;
    [[maybe_unused]] result received;
    promises.submit(id);
    try {
      if constexpr (std::is_same_v<Disposition, std::error_code>)
        co_await operation();
      else
        received = co_await operation();
    } catch (const std::system_error& e) {
      code = e.code();
    }
    tell(id, code, received != nullptr);
    r.in_handler();
  }

  asio::awaitable<void> ask_to_close(int id, asyncres::close_mode mode, handle resource) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    const mortal life = handler_life(id);
    std::error_code code;
    promises.submit(id, mode);
    try {
      co_await resource.async_close(mode);
    } catch (const std::system_error& e) {
      code = e.code();
    }
    tell(id, code, false);
  }

  std::array<place, 3> places_;
  std::optional<handle> handle_;
  lease lease_;
  std::optional<asio::strand<asio::any_io_executor>> strand_;  // While home is there.
  std::deque<asio::cancellation_signal> signals_;
  std::list<asyncres::home_ptr<mortal>> pointers_;
  std::vector<int> inside_;
  int handlers_thrown_ = 0, handlers_that_throw_ = 0;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_SCHEDULE_HPP
