// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_OBSERVER_HPP
#define ASYNC_RESOURCE_OBSERVER_HPP

namespace asyncres {
inline namespace v0 {

/// Watches nothing, and costs nothing: the default third parameter of async_resource.
/**
 * An observer is told what becomes of each operation. One object of it is made with the resource,
 * default-constructed. It has any of these members, each called with a number that is the operation's alone in the
 * program, counted from 1:
 *
 * @li `on_queued(std::uint64_t)`     in the initiating function, before anything below;
 * @li `on_started(std::uint64_t)`    at home, before the function is called;
 * @li `on_finished(std::uint64_t)`   at home, when the function has returned or thrown;
 * @li `on_cancelled(std::uint64_t)`  where the operation is aborted, or times out, before its function was called;
 * @li `on_rejected(std::uint64_t)`   where it is refused: in the initiating function, or at home.
 *
 * One of the last three is called last, and once, unless home's execution context is shut down before. They must not
 * throw, and may be called concurrently with each other for different operations.
 */
struct no_observer {};

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_OBSERVER_HPP
