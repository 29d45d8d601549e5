// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_DEFAULT_TOKEN_HPP
#define ASYNC_RESOURCE_DETAIL_DEFAULT_TOKEN_HPP

#include <type_traits>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Where Asio knows no default for the executor, the operation itself.
template <class Executor>
using default_token_t = std::conditional_t<std::is_void_v<asio::default_completion_token_t<Executor>>, asio::deferred_t,
                                           asio::default_completion_token_t<Executor>>;

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_DEFAULT_TOKEN_HPP
