// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/error.hpp>
#include <async_resource/options.hpp>
#include <async_resource/pool.hpp>

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/contract_kinds.hpp"
#include "support/error_codes.hpp"
#include "support/schedule_place.hpp"

// Pools of more than one member, one step at a time, in programs made up from a seed. Which member an operation gets is
// not said, so this knows less than contract_model.hpp: what must hold of each operation, each key and each member. One
// member alone is in contract_schedules_on_pool.test.cpp.

using asyncres::close_mode;
using asyncres::errc;
using asyncres::on_failure;
using asyncres::resource_options;
using asyncres::when_full;
using testing::code_of;
using testing::mortal;
using testing::place;

namespace {

class random_pool_program {
 public:
  explicit random_pool_program(std::uint32_t seed)
      : random_(seed), options_(some_options()), places_{place(some_kind()), place(some_kind())} {
    const std::size_t size = 2 + below(2);
    members_.resize(size);
    pool_.emplace(
        places_[home].executor(), size, [this](std::size_t index) { return resident(*this, index); }, options_);
  }
  random_pool_program(const random_pool_program&) = delete;
  ~random_pool_program() { finish(); }

  const std::string& trace() const { return trace_; }
  const std::vector<std::string>& run() {
    for (std::size_t n = 5 + below(40); n > 0; --n) act();
    finish();
    return complaints_;
  }

 private:
  enum : std::size_t { home, callers };

  struct resident {
    resident(random_pool_program& p, std::size_t n) : program(p), index(n) {
      // One that leaves may still be there when another gets its number.
      program.require(program.resized_ || program.members_[index] == 0, "a member with two resources");
      ++program.members_[index];
    }
    resident(const resident&) = delete;
    ~resident() {
      program.require(!busy, "a resource was destroyed in use");
      program.require(program.may_be_home(), "a resource was destroyed away from home");
      --program.members_[index];
    }
    random_pool_program& program;
    const std::size_t index;
    bool busy = false;
  };
  using pool = asyncres::async_resource_pool<asio::any_io_executor, resident>;

  struct operation {
    std::optional<std::size_t> key{};
    bool is_use = true, at_home = false;
    bool has_function = true, has_handler = true;
    bool called = false, returned = false, threw = false;
    bool may_be_aborted = false, may_be_closed = false;
    std::optional<std::error_code> told{};
  };

  // What was done, and in what.
  void note(const std::string& what) { trace_.append(2 * inside_.size(), ' ').append(what).append("\n"); }

  void require(bool holds, const char* what) {
    if (!holds) complaints_.emplace_back(what);
  }

  // Whether this thread is on a strand of the pool, as far as that can be said.
  bool may_be_home() { return !pool_ || !places_[home].there() || all_gone() || testing::is_at_home(*pool_); }
  bool all_gone() const { return std::ranges::count(members_, 0) == std::ssize(members_); }

  std::size_t below(std::size_t n) { return random_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }
  place::kind some_kind() { return one_of({place::kind::manual, place::kind::io}); }
  resource_options some_options() {
    resource_options o;
    o.max_pending = one_of<std::size_t>({asyncres::unlimited, 1, 3});
    o.full = one_of({when_full::reject, when_full::wait});
    o.quantum = one_of<std::size_t>({1, 2, 64});
    o.failure = one_of({on_failure::propagate, on_failure::poison, on_failure::rebuild});
    return o;
  }

  void act() {
    if (++acts_ > 150) return;
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
      case 3: return submit();
      case 4:
      case 5:
        if (!operations_.empty()) emit(below(operations_.size()));
        return;
      case 6: return end();
      case 7:
        if (one_in(8)) destroy(below(2));
        return;
      case 8:
      case 9:
      case 10: step(callers); return;
      default: step(home);
    }
  }
  std::function<void()> some_acts() {
    const std::size_t n = one_in(4) ? 1 + below(3) : 0;
    return [this, n] {
      for (std::size_t i = 0; i < n; ++i) act();
    };
  }

  std::size_t begin(operation op) {
    operations_.push_back(op);
    signals_.emplace_back();
    return operations_.size() - 1;
  }
  template <class Handler>
  auto with_slot(std::size_t id, Handler&& handler) {
    const auto slot = one_in(2) ? signals_[id].slot() : asio::cancellation_slot();
    return asio::bind_cancellation_slot(slot, std::forward<Handler>(handler));
  }
  template <class Call>
  void call_out(std::size_t id, Call&& call) {
    const auto before = std::exchange(calling_, id);
    call();
    calling_ = before;
  }

  void submit() {
    if (!pool_ || operations_.size() > 15) return;
    const bool at_home = !places_[callers].there() || one_in(3);
    if (at_home && !places_[home].there()) return;
    const std::size_t id = begin({.at_home = at_home, .may_be_closed = closing_ || !places_[home].there()});
    ++submitted_;
    note("submit " + std::to_string(id) + (at_home ? ", told at home" : ""));
    if (one_in(2)) operations_[id].key = below(4);
    auto function = [this, id, throws = one_in(5), then = some_acts(),
                     life = mortal([this, id] { end_function_object(id); })](resident& r) {
      begin_function(id, r);
      then();
      end_function(id, r, throws);
    };
    auto handler = [this, id, then = some_acts(), life = handler_life(id)](const std::exception_ptr& e) {
      tell(id, code_of(e));
      then();
    };
    const auto start = [&](auto&& token) {
      call_out(id, [&] {
        if (const auto key = operations_[id].key)
          pool_->async_invoke_on(*key, std::move(function), std::forward<decltype(token)>(token));
        else
          pool_->async_invoke(std::move(function), std::forward<decltype(token)>(token));
      });
    };
    if (at_home)
      start(with_slot(id, std::move(handler)));
    else
      start(with_slot(id, asio::bind_executor(places_[callers].executor(), std::move(handler))));
  }

  void begin_function(std::size_t id, resident& r) {
    operation& op = operations_[id];
    require(!std::exchange(op.called, true), "called twice");
    require(!op.told, "called after it was told");
    require(calling_ == nobody, "called inside of a call");
    require(!std::exchange(r.busy, true), "two functions of one member at a time");
    require(inside_.back() == home && may_be_home(), "called away from home");
    ++running_;
    if (!op.key) return;
    if (auto& last = last_of_key_[*op.key]; !resized_) {
      require(!last || (last->first < id && last->second == r.index), "functions of one key out of order, or of place");
      last = std::pair(id, r.index);
    }
  }
  void end_function(std::size_t id, resident& r, bool throws) {
    --running_;
    r.busy = false;
    if (!throws) {
      operations_[id].returned = true;
      ++completed_;
      return;
    }
    operations_[id].threw = true;
    ++failed_;
    throw std::system_error(failure());
  }
  void end_function_object(std::size_t id) {
    require(std::exchange(operations_[id].has_function, false), "a function was destroyed twice");
    require(calling_ == id || may_be_home(), "a function was destroyed away from home");
  }

  mortal handler_life(std::size_t id) {
    return mortal([this, id] {
      const operation& op = operations_[id];
      require(std::exchange(operations_[id].has_handler, false), "a handler was destroyed twice");
      const bool gone = destroying_[home] || (!op.at_home && destroying_[callers]);
      require(op.told || gone, "a handler was destroyed, uncalled");
    });
  }
  void tell(std::size_t id, std::error_code code) {
    operation& op = operations_[id];
    require(!op.told, "told twice");
    op.told = code;
    require(calling_ == nobody, "told inside of a call");
    require(!inside_.empty() && inside_.back() == (op.at_home ? home : callers), "told elsewhere");
    require(!pool_ || running_ > 0 || !testing::is_at_home(*pool_), "told with a resource held");
    if (!op.is_use) return;
    if (!code)
      require(op.returned, "told of success, and it has not returned");
    else if (code == failure())
      require(op.threw, "told of a failure, and it has not thrown");
    else
      require(!op.called, "told why it was not called, and it was");
    if (code == asio::error::operation_aborted) require(op.may_be_aborted, "aborted, by nobody");
    if (code == errc::closed) require(op.may_be_closed, "refused as closed, by a pool that was open");
    if (code == errc::poisoned) require(options_.failure == on_failure::poison && failed_ > 0, "poisoned by nobody");
    if (code == errc::queue_full) require(options_.full == when_full::reject, "full, and it was to wait");
  }

  void emit(std::size_t id) {
    note("emit " + std::to_string(id));
    operations_[id].may_be_aborted = true;
    call_out(somebody, [&] { signals_[id].emit(asio::cancellation_type::total); });
  }
  void cancel_all() {
    note("cancel all");
    for (operation& op : operations_) op.may_be_aborted = true;
    call_out(somebody, [&] { pool_->cancel(); });
  }
  void drop_handle() {
    note("drop the handle");
    call_out(somebody, [&] { pool_.reset(); });
  }
  void end() {
    if (!pool_) return;
    switch (below(6)) {
      case 0:
      case 1: return cancel_all();
      case 2:
        if (one_in(2)) drop_handle();
        return;
      default: break;
    }
    if (!places_[callers].there() || operations_.size() > 15) return;
    const bool closes = one_in(3);
    const std::size_t id = begin({.is_use = false, .has_function = false});
    note((closes ? "close " : "resize ") + std::to_string(id));
    auto handler = [this, id, closes, life = handler_life(id)](std::error_code code) {
      tell(id, code);
      if (closes && !code) require(all_gone(), "told of the end of resources that are there");
    };
    auto token = with_slot(id, asio::bind_executor(places_[callers].executor(), std::move(handler)));
    if (closes) {
      const auto mode = one_of({close_mode::drain, close_mode::cancel});
      closing_ = true;
      if (mode == close_mode::cancel)
        for (operation& op : operations_) op.may_be_aborted = true;
      call_out(id, [&] { pool_->async_close(mode, std::move(token)); });
    } else {
      const std::size_t size = 1 + below(4);
      resized_ = true;
      members_.resize(std::max(members_.size(), size));
      call_out(id, [&] { pool_->async_resize(size, std::move(token)); });
    }
  }

  bool step(std::size_t p) {
    if (!places_[p].there()) return false;
    note(p == home ? "step at home" : "step");
    inside_.push_back(p);
    const bool stepped = places_[p].step();
    inside_.pop_back();
    return stepped;
  }
  void destroy(std::size_t p) {
    if (!places_[p].there() || std::ranges::find(inside_, p) != inside_.end()) return;
    note(p == home ? "destroy home" : "destroy the callers' context");
    destroying_[p] = true;
    if (p == home)
      for (operation& op : operations_) op.may_be_closed = true;
    places_[p].destroy();
    for (const operation& op : operations_)
      if (op.at_home == (p == home)) require(!op.has_handler, "a handler outlived its context");
    if (p == home) require(all_gone(), "a resource outlived its home");
  }
  void settle() {
    while (step(home) || step(callers)) continue;
    for (const operation& op : operations_) {
      require(!op.has_handler, "never heard of again");
      require(!op.has_function, "a function was forgotten");
    }
    require(running_ == 0, "a function runs");
    if (!pool_) return require(all_gone(), "a resource was forgotten");
    const auto stats = pool_->stats();
    const bool nobody_gone = places_[home].there() && places_[callers].there();
    const std::uint64_t ended = stats.completed + stats.failed + stats.cancelled + stats.rejected;
    require(stats.queued + stats.running == 0, "the figures say that something is still there");
    require(stats.submitted == submitted_, "submitted is not what it should be");
    require(stats.completed == completed_, "completed is not what it should be");
    require(stats.failed == failed_, "failed is not what it should be");
    require(nobody_gone ? ended == submitted_ : ended <= submitted_, "the sum is not what it should be");
  }
  void finish() {
    settle();
    if (pool_) drop_handle();
    settle();
    for (const std::size_t p : {callers, home}) destroy(p);
    settle();
  }

  static std::error_code failure() { return std::make_error_code(std::errc::io_error); }

  static constexpr std::size_t nobody = SIZE_MAX, somebody = SIZE_MAX - 1;

  std::mt19937 random_;
  const resource_options options_;
  std::vector<int> members_;  // How many resources each has.
  std::deque<operation> operations_;
  std::deque<asio::cancellation_signal> signals_;
  std::array<std::optional<std::pair<std::size_t, std::size_t>>, 4> last_of_key_;  // Which operation, and where it ran.
  std::array<bool, 2> destroying_{};
  bool closing_ = false, resized_ = false;
  std::size_t calling_ = nobody;
  std::vector<std::size_t> inside_;
  int running_ = 0, acts_ = 0;
  std::uint64_t submitted_ = 0, completed_ = 0, failed_ = 0;
  std::vector<std::string> complaints_;
  std::string trace_;
  std::array<place, 2> places_;
  std::optional<pool> pool_;
};

void check_programs(std::uint32_t count) {
  for (std::uint32_t n = 0; n < count; ++n) {
    const std::uint32_t seed = Catch::getSeed() + n;
    random_pool_program program(seed);
    const auto complaints = program.run();
    if (complaints.empty()) continue;
    INFO("--rng-seed " << seed << " repeats it:\n" << program.trace());
    REQUIRE(complaints == std::vector<std::string>());
  }
  SUCCEED();
}

}  // namespace

TEST_CASE("whatever a single thread does with a pool of several, what is promised of each operation holds",
          "[pool][contract]") {
  check_programs(3'000);
}

TEST_CASE("whatever a single thread does with a pool of several, it holds a hundred thousand times",
          "[pool][contract][.long]") {
  check_programs(100'000);
}
