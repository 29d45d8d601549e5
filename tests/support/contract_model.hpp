// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_MODEL_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_MODEL_HPP

#include <async_resource/error.hpp>
#include <async_resource/options.hpp>

#include <asio/error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace testing {

// What is promised of one resource and its operations, where a single thread does everything: told of each thing that a
// test does, and of each that comes of it, in order, it predicts and complains. Knows nothing of how it is done.
//
// The resource may be the one member of a pool. When it has been poisoned it is out of service; so operations may be
// refused as poisoned where they are submitted, and it is not said whether that comes before queue_full. Nor is it said
// whether the slot of a handler that has gone still reaches the function.
//
// There may be a lease from the beginning. What it submits runs before all else, until it ends, and is neither bounded
// nor refused because the resource closes; after that it is refused, but it is not said whether at once. What others
// submit waits for the end, unless it is cancelled.
//
// An operation is *concluded* when its outcome is on its way to the handler, and nothing can change it any more.
class contract {
 public:
  struct traits {
    bool closes = false;    // Not a use of the resource, but a wait for its end.
    bool slot = false;      // Can be cancelled by itself.
    bool erased = false;    // Its handler is reached by way of home.
    bool in_frame = false;  // Submitted when a coroutine gets there.
    bool of_lease = false;  // Submitted by the lease.
  };

  explicit contract(const asyncres::resource_options& options, bool of_pool = false)
      : options_(options), of_pool_(of_pool) {}

  static std::error_code function_failure() { return std::make_error_code(std::errc::io_error); }
  static std::error_code factory_failure() { return std::make_error_code(std::errc::no_such_device); }

  const std::vector<std::string>& complaints() const noexcept { return complaints_; }
  void require(bool holds, const char* what, int id = nobody) {
    if (!holds) complaints_.push_back((id == nobody ? "" : std::to_string(id) + ": ") + what);
  }

  std::optional<std::error_code> told(int id) const {
    const operation& op = operations_[index(id)];
    return op.handler == fate::told ? op.end : std::nullopt;
  }
  bool called(int id) const { return operations_[index(id)].called; }
  bool has_slot(int id) const { return operations_[index(id)].is.slot; }
  // Nobody can tell the library that the context of such a handler goes.
  bool may_destroy(int place) const {
    return std::none_of(operations_.begin(), operations_.end(), [&](const operation& op) {
      return op.is.erased && op.caller == index(place) && op.handler == fate::alive;
    });
  }
  // What an operation would be refused with now.
  std::error_code refusal(bool of_lease = false) const {
    if (!home_is_alive()) return asyncres::errc::closed;
    if (of_lease) return lease_held_ ? std::error_code() : asyncres::errc::closed;
    if (closing_) return asyncres::errc::closed;
    if (of_pool_ && poisoned_) return asyncres::errc::poisoned;
    if (options_.full == asyncres::when_full::reject && queue_.size() >= options_.max_pending)
      return asyncres::errc::queue_full;
    return {};
  }
  bool resource_is_there() const noexcept { return resource_ == fate::alive; }

  // What the test does. Places are contexts, by number; home is 0.

  int begin(int caller, traits is) {
    operations_.push_back({.caller = index(caller), .is = is});
    return static_cast<int>(operations_.size()) - 1;
  }

  void submit(int id, asyncres::close_mode mode = {}) {
    operation& op = of(id);
    op.handler = fate::alive;
    if (op.is.closes) return submit_close(op, mode);
    op.function = fate::alive;
    ++submitted_;
    const std::error_code refused = refusal(op.is.of_lease);
    op.may_be_queued = refused == asyncres::errc::poisoned || (op.is.of_lease && home_is_alive() && refused);
    if (refused && !op.may_be_queued) return conclude(op, refused);
    queue_of(op).push_back(id);
    if (refused)
      op.end = refused;
    else if (poisoned_)
      op.end = asyncres::errc::poisoned;
    if (op.may_be_queued && of_pool_ && queue_.size() > options_.max_pending)
      op.or_end.push_back(asyncres::errc::queue_full);
    if (op.may_be_queued && poisoned_) op.or_end.push_back(asyncres::errc::poisoned);
  }

  // Like an operation of which nothing more is seen.
  void take_lease() noexcept {
    lease_held_ = true;
    ++submitted_, ++completed_;
  }
  void end_lease() noexcept { lease_held_ = false; }

  void cancel(int id) {
    operation& op = of(id);
    if (!op.is.slot || op.concluded) return;
    if (of_pool_ && op.handler == fate::dead) op.may_be_cancelled = true;
    if (op.handler != fate::alive) return;
    if (op.is.closes)
      op.end = asio::error::operation_aborted;
    else if (running_ == id)
      op.asked = true;
    else if (is_queued(id))
      conclude(op, asio::error::operation_aborted);
  }

  void cancel_all() {
    for (const auto* queue : {&queue_, &lease_queue_})
      for (const int id : *queue)
        if (operation& op = of(id); !op.concluded) {
          if (op.may_be_queued) op.or_end.push_back(*op.end);
          op.end = asio::error::operation_aborted;
        }
    if (running_ != nobody) of(running_).asked = true;
  }

  void drop_handle() noexcept { handle_dropped_ = true; }
  void make_pointer() noexcept { ++pointers_; }

  // The test calls what must neither run a function nor call a handler: the initiating function of that operation, or
  // something else. Returns what was being called before.
  static constexpr int something = -2;
  int begin_call(int id = something) noexcept { return std::exchange(calling_, id); }
  void end_call(int before) {
    if (calling_ >= 0) {
      const operation& op = of(calling_);
      require(!was_refused(op) || op.function != fate::alive, "refused, and its function not destroyed", calling_);
    }
    calling_ = before;
  }

  void begin_end_of(int place) noexcept { places_[index(place)] = fate::dying; }
  void end_of(int place) {
    places_[index(place)] = fate::dead;
    for (int id = 0; id < static_cast<int>(operations_.size()); ++id) {
      if (of(id).caller == index(place)) require(of(id).handler != fate::alive, "its handler outlived its context", id);
      if (place == home) require(of(id).function != fate::alive, "its function outlived home", id);
    }
    if (place == home) require(resource_ != fate::alive, "the resource outlived home");
  }

  // What comes of it.

  void make_resource() {
    require(resource_ != fate::alive, "two resources");
    resource_ = fate::alive;
    rebuilds_ = false;
  }
  void fail_to_make_resource() {
    ++failed_;
    if (const std::optional<int> id = start()) conclude(of(*id), factory_failure());
  }
  void end_resource(bool at_home) {
    require(resource_ == fate::alive, "the resource was destroyed twice");
    resource_ = fate::dead;
    require(running_ == nobody, "the resource was destroyed with a function running");
    if (!home_is_alive()) return;
    require(at_home, "the resource was destroyed away from home");
    require(rebuilds_ || (is_ending() && least_queued() == 0), "the resource was destroyed too early");
  }

  void begin_function(int id, bool at_home) {
    require(at_home, "called away from home", id);
    require(resource_ == fate::alive, "called without a resource", id);
    require(start() == id, "called out of turn", id);
    require(!of(id).called, "called twice", id);
    of(id).called = true;
    running_ = id;
  }
  void end_function(int id, bool threw, bool asked) {
    operation& op = of(id);
    running_ = nobody;
    require(asked == op.asked || (asked && op.may_be_cancelled),
            asked ? "asked to give up, by nobody" : "not asked to give up", id);
    ++(threw ? failed_ : completed_);
    if (threw) note_failure();
    conclude(op, threw ? function_failure() : std::error_code());
  }
  void end_function_object(int id, bool at_home) {
    operation& op = of(id);
    require(op.function == fate::alive, "its function was destroyed twice", id);
    op.function = fate::dead;
    if (was_refused(op)) return require(op.is.in_frame || calling_ == id, "refused, its function was kept", id);
    const bool was_queued = std::erase(queue_of(op), id) > 0;
    if (!home_is_alive()) return;
    if (op.may_be_queued && !op.concluded && (op.is.in_frame ? !at_home : calling_ == id)) {
      op.concluded = true;
      return;
    }
    require(at_home, "its function was destroyed away from home", id);
    require(running_ != id, "its function was destroyed while it ran", id);
    if (!was_queued) return;
    if (op.may_be_cancelled) (op.end ? op.or_end.emplace_back() : op.end.emplace()) = asio::error::operation_aborted;
    require(op.end.has_value(), "its function was destroyed, uncalled", id);
    op.concluded = true;
  }

  void make_result(int id) { of(id).result = fate::alive; }
  void end_result(int id, bool at_home) {
    operation& op = of(id);
    op.result = fate::dead;
    require(op.handler == fate::told || at_home || !home_is_alive(), "its result was destroyed away from home", id);
  }

  void tell(int id, std::error_code code, bool has_result, const std::vector<int>& inside, bool at_home) {
    operation& op = of(id);
    require(op.handler == fate::alive, "told twice, or too late", id);
    op.handler = fate::told;
    // An erased handler is dispatched to, and may be called inside another place's function inside of its own place.
    const bool below = op.is.erased && std::find(inside.begin(), inside.end(), int(op.caller)) != inside.end();
    require(below || (!inside.empty() && index(inside.back()) == op.caller), "told elsewhere", id);
    require(calling_ == nobody, "told inside of a call", id);
    require(!at_home || running_ != nobody, "told with the resource held", id);
    require(has_result == (!code && op.result == fate::alive), "told without its result", id);
    if (op.is.closes && !code) {
      require(resource_ != fate::alive, "told of the end of a resource that is there", id);
      op.end = code;
    } else {
      require(op.is.closes || op.concluded, "told too early", id);
      if (std::find(op.or_end.begin(), op.or_end.end(), code) != op.or_end.end()) op.end = code;
      if (op.end != code)
        complaints_.push_back(std::to_string(id) + ": told: " + code.message() +
                              ", not: " + (op.end ? op.end->message() : "nothing"));
    }
  }
  void end_handler(int id) {
    operation& op = of(id);
    if (std::exchange(op.ended, true)) require(false, "its handler was destroyed twice", id);
    if (op.handler != fate::alive) return;
    op.handler = fate::dead;
    const bool dropped_by_home = !home_is_alive() && (!op.concluded || op.is.erased);
    require(dropped_by_home || places_[op.caller] != fate::alive, "its handler was destroyed, uncalled", id);
  }

  void end_pointer(bool at_home) {
    --pointers_;
    require(at_home || !home_is_alive(), "what a home_ptr had was destroyed away from home");
  }

  // What must have come of it.

  // Nothing is ready at that place.
  void idle(int place) {
    for (int id = 0; id < static_cast<int>(operations_.size()); ++id)
      if (const operation& op = of(id); op.caller == index(place) && op.concluded && !op.is.erased)
        require(op.handler != fate::alive, "through, and its handler not called", id);
  }

  // Nothing is ready anywhere.
  void settle() {
    for (int id = 0; id < static_cast<int>(operations_.size()); ++id) {
      const operation& op = of(id);
      const bool behind = home_is_alive() && lease_held_ && is_queued(id) && !op.is.of_lease;
      const bool waits = op.is.closes ? home_is_alive() && (pointers_ > 0 || lease_held_) && !op.end
                                      : behind && (!op.end || op.end == asyncres::errc::poisoned);
      require(waits || op.handler != fate::alive, "never heard of again", id);
      require(behind || op.function != fate::alive, "its function was forgotten", id);
      require(op.result != fate::alive, "its result was forgotten", id);
    }
    require(running_ == nobody, "a function runs");
    require(!is_ending() || resource_ != fate::alive, "the resource was forgotten");
  }

  void settle(const asyncres::resource_stats& stats) {
    std::uint64_t cancelled = 0, rejected = 0, cancelled_or_rejected = 0, abandoned = 0, cancelled_or_abandoned = 0;
    for (const operation& op : operations_) {
      if (op.is.closes || op.function == fate::none) continue;
      if (!op.concluded)
        ++(op.may_be_cancelled ? cancelled_or_abandoned : abandoned);
      else if (op.handler != fate::told && !op.or_end.empty())
        ++cancelled_or_rejected;
      else if (op.end == asio::error::operation_aborted)
        ++cancelled;
      else if (op.end->category() == asyncres::error_category())
        ++rejected;
    }
    const auto between = [](std::uint64_t n, std::uint64_t least, std::uint64_t more) {
      return n >= least && n <= least + more;
    };
    require(is_queue_length(stats.queued) && stats.running == 0, "the figures say that something is still there");
    require(stats.high_water <= options_.max_pending, "more were queued than may be");
    require(stats.submitted == submitted_, "submitted is not what it should be");
    require(stats.completed == completed_, "completed is not what it should be");
    require(stats.failed == failed_, "failed is not what it should be");
    require(between(stats.cancelled, cancelled, cancelled_or_rejected + cancelled_or_abandoned),
            "cancelled is not what it should be");
    require(between(stats.rejected, rejected, cancelled_or_rejected), "rejected is not what it should be");
    require(between(stats.submitted, stats.completed + stats.failed + stats.cancelled + stats.rejected + abandoned,
                    cancelled_or_abandoned),
            "the sum is not what it should be");
  }

  // At any time.
  void look(const asyncres::resource_stats& stats) {
    require(is_queue_length(stats.queued), "queued is not what it should be");
    require(stats.running == (running_ != nobody), "running is not what it should be");
    require(stats.submitted == submitted_, "submitted is not what it should be");
  }

 private:
  static constexpr int home = 0;
  static constexpr int nobody = -1;
  enum class fate { none, alive, dying, dead, told };

  struct operation {
    std::size_t caller = 0;
    traits is{};
    fate handler = fate::none, function = fate::none, result = fate::none;
    bool called = false, asked = false, concluded = false, ended = false;
    bool may_be_queued = false;            // Though it is refused.
    bool may_be_cancelled = false;         // Though its handler has gone.
    std::optional<std::error_code> end{};  // As far as it is known.
    std::vector<std::error_code> or_end{};
  };

  static std::size_t index(int n) noexcept { return static_cast<std::size_t>(n); }
  operation& of(int id) noexcept { return operations_[index(id)]; }
  bool home_is_alive() const noexcept { return places_[home] == fate::alive; }
  bool is_ending() const noexcept {
    return !home_is_alive() || ((closing_ || handle_dropped_) && pointers_ == 0 && !lease_held_);
  }
  std::deque<int>& queue_of(const operation& op) noexcept { return op.is.of_lease ? lease_queue_ : queue_; }
  std::size_t queued() const noexcept { return queue_.size() + lease_queue_.size(); }
  // But for what a lease submitted too late, and may be among those or not.
  std::size_t least_queued() const noexcept {
    std::size_t n = 0;
    for (const auto* queue : {&queue_, &lease_queue_})
      for (const int id : *queue) n += of_pool_ || !operations_[index(id)].may_be_queued;
    return n;
  }
  bool is_queue_length(std::size_t n) const noexcept {
    return n >= std::min(least_queued(), options_.max_pending) && n <= std::min(queued(), options_.max_pending);
  }
  bool is_queued(int id) const noexcept {
    const auto& queue = operations_[index(id)].is.of_lease ? lease_queue_ : queue_;
    return std::find(queue.begin(), queue.end(), id) != queue.end();
  }
  static bool was_refused(const operation& op) noexcept {
    return (op.end == asyncres::errc::closed || op.end == asyncres::errc::queue_full) && !op.may_be_queued;
  }

  static void conclude(operation& op, std::error_code code) {
    op.end = code;
    op.concluded = true;
  }

  void submit_close(operation& op, asyncres::close_mode mode) {
    closing_ = true;
    if (mode == asyncres::close_mode::cancel) cancel_all();
    if (!home_is_alive()) conclude(op, {});
  }

  // Who is to be called next: those before have left the queue by now.
  std::optional<int> start() {
    require(running_ == nobody, "two functions at a time");
    require(calling_ == nobody, "called inside of a call");
    const bool leased =
        std::any_of(lease_queue_.begin(), lease_queue_.end(), [this](int queued) { return !of(queued).may_be_queued; });
    auto& queue = leased ? lease_queue_ : queue_;
    if (queue.empty()) return std::nullopt;
    const int id = queue.front();
    queue.pop_front();
    require(of(id).is.of_lease || !lease_held_, "called while another had the lease", id);
    require(!of(id).end, "called in spite of its end", id);
    return id;
  }

  void note_failure() {
    rebuilds_ = options_.failure == asyncres::on_failure::rebuild;
    if (options_.failure != asyncres::on_failure::poison) return;
    poisoned_ = true;
    for (const auto* queue : {&queue_, &lease_queue_})
      for (const int id : *queue)
        if (!of(id).end) of(id).end = asyncres::errc::poisoned;
  }

  const asyncres::resource_options options_;
  const bool of_pool_;
  bool lease_held_ = false;
  std::deque<operation> operations_;
  std::deque<int> queue_, lease_queue_;  // Those whose function home has, and has not called.
  std::array<fate, 3> places_{fate::alive, fate::alive, fate::alive};
  fate resource_ = fate::none;
  bool closing_ = false, handle_dropped_ = false, poisoned_ = false, rebuilds_ = false;
  int running_ = nobody, calling_ = nobody, pointers_ = 0;
  std::uint64_t submitted_ = 0, completed_ = 0, failed_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_MODEL_HPP
