// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_FUNCTION_HOLDER_HPP
#define ASYNC_RESOURCE_DETAIL_FUNCTION_HOLDER_HPP

#include <optional>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The function of an operation, until it has run. A base class that comes before the completion, which takes the
// handler: if moving the function throws, the handler is still its owner's.
template <class Function>
struct function_holder {
  std::optional<Function> function_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_FUNCTION_HOLDER_HPP
