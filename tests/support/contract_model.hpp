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
// An operation is *concluded* when its outcome is on its way to the handler, and nothing can change it any more.
class contract {
 public:
  struct traits {
    bool closes = false;    // Not a use of the resource, but a wait for its end.
    bool slot = false;      // Can be cancelled by itself.
    bool erased = false;    // Its handler is reached by way of home.
    bool in_frame = false;  // Submitted when a coroutine gets there.
  };

  explicit contract(const asyncres::resource_options& options) : options_(options) {}

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
  std::error_code refusal() const {
    if (closing_ || !home_is_alive()) return asyncres::errc::closed;
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
    if (const std::error_code refused = refusal()) return conclude(op, refused);
    queue_.push_back(id);
    if (poisoned_) op.end = asyncres::errc::poisoned;
  }

  void cancel(int id) {
    operation& op = of(id);
    if (!op.is.slot || op.handler != fate::alive || op.concluded) return;
    if (op.is.closes)
      op.end = asio::error::operation_aborted;
    else if (running_ == id)
      op.asked = true;
    else if (std::find(queue_.begin(), queue_.end(), id) != queue_.end())
      conclude(op, asio::error::operation_aborted);
  }

  void cancel_all() {
    for (const int id : queue_)
      if (!of(id).concluded) of(id).end = asio::error::operation_aborted;
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
    require(rebuilds_ || (is_ending() && queue_.empty()), "the resource was destroyed too early");
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
    require(asked == op.asked, asked ? "asked to give up, by nobody" : "not asked to give up", id);
    ++(threw ? failed_ : completed_);
    if (threw) note_failure();
    conclude(op, threw ? function_failure() : std::error_code());
  }
  void end_function_object(int id, bool at_home) {
    operation& op = of(id);
    require(op.function == fate::alive, "its function was destroyed twice", id);
    op.function = fate::dead;
    if (was_refused(op)) return require(op.is.in_frame || calling_ == id, "refused, its function was kept", id);
    const bool was_queued = std::erase(queue_, id) > 0;
    if (!home_is_alive()) return;
    require(at_home, "its function was destroyed away from home", id);
    require(running_ != id, "its function was destroyed while it ran", id);
    if (!was_queued) return;
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
      const bool waits = op.is.closes && home_is_alive() && pointers_ > 0 && !op.end;
      require(waits || op.handler != fate::alive, "never heard of again", id);
      require(op.function != fate::alive, "its function was forgotten", id);
      require(op.result != fate::alive, "its result was forgotten", id);
    }
    require(running_ == nobody, "a function runs");
    require(!is_ending() || resource_ != fate::alive, "the resource was forgotten");
  }

  void settle(const asyncres::resource_stats& stats) {
    std::uint64_t cancelled = 0, rejected = 0, abandoned = 0;
    for (const operation& op : operations_) {
      if (op.is.closes || op.function == fate::none) continue;
      abandoned += !op.concluded;
      cancelled += op.concluded && op.end == asio::error::operation_aborted;
      rejected += op.concluded && op.end->category() == asyncres::error_category();
    }
    require(stats.queued == 0 && stats.running == 0, "the figures say that something is still there");
    require(stats.high_water <= options_.max_pending, "more were queued than may be");
    require(stats.submitted == submitted_, "submitted is not what it should be");
    require(stats.completed == completed_, "completed is not what it should be");
    require(stats.failed == failed_, "failed is not what it should be");
    require(stats.cancelled == cancelled, "cancelled is not what it should be");
    require(stats.rejected == rejected, "rejected is not what it should be");
    require(stats.completed + stats.failed + stats.cancelled + stats.rejected + abandoned == stats.submitted,
            "the sum is not what it should be");
  }

  // At any time.
  void look(const asyncres::resource_stats& stats) {
    require(stats.queued == std::min(queue_.size(), options_.max_pending), "queued is not what it should be");
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
    std::optional<std::error_code> end{};  // As far as it is known.
  };

  static std::size_t index(int n) noexcept { return static_cast<std::size_t>(n); }
  operation& of(int id) noexcept { return operations_[index(id)]; }
  bool home_is_alive() const noexcept { return places_[home] == fate::alive; }
  bool is_ending() const noexcept { return !home_is_alive() || ((closing_ || handle_dropped_) && pointers_ == 0); }
  static bool was_refused(const operation& op) noexcept {
    return op.end == asyncres::errc::closed || op.end == asyncres::errc::queue_full;
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
    if (queue_.empty()) return std::nullopt;
    const int id = queue_.front();
    queue_.pop_front();
    require(!of(id).end, "called in spite of its end", id);
    return id;
  }

  void note_failure() {
    rebuilds_ = options_.failure == asyncres::on_failure::rebuild;
    if (options_.failure != asyncres::on_failure::poison) return;
    poisoned_ = true;
    for (const int id : queue_)
      if (!of(id).end) of(id).end = asyncres::errc::poisoned;
  }

  const asyncres::resource_options options_;
  std::deque<operation> operations_;
  std::deque<int> queue_;  // Those whose function home has, and has not called.
  std::array<fate, 3> places_{fate::alive, fate::alive, fate::alive};
  fate resource_ = fate::none;
  bool closing_ = false, handle_dropped_ = false, poisoned_ = false, rebuilds_ = false;
  int running_ = nobody, calling_ = nobody, pointers_ = 0;
  std::uint64_t submitted_ = 0, completed_ = 0, failed_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_MODEL_HPP
