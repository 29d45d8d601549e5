// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_USE_CHECK_HPP
#define ASYNC_RESOURCE_DETAIL_USE_CHECK_HPP

#include <type_traits>

#include <async_resource/concepts.hpp>
#include <async_resource/detail/executor.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Whether these fit together; if not, says what to do.
template <class Executor, class Resource>
constexpr bool check_resource() {
  constexpr bool is_plain = std::is_object_v<Resource> && !std::is_array_v<Resource> && !std::is_const_v<Resource>;
  static_assert(is_plain, "async_resource: Resource must be a plain object type");
  static_assert(can_post<Executor>,
                "async_resource: Executor must support require(blocking.never), or functions could run inside the "
                "initiating function: take asio::any_io_executor, or a context's own executor");
  return true;  // What is wrong has been said.
}

template <class Function, class Resource>
constexpr bool check_function() {
  static_assert(operation_on<Function, Resource>,
                "async_resource: the function does not fit: it must be callable as f(Resource&) or "
                "f(Resource&, std::error_code&), each with or without a cancellation_view as last argument");
  return operation_on<Function, Resource>;
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_USE_CHECK_HPP
