// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_DETAIL_OPERATION_HPP
#define ASYNC_RESOURCE_FRAMING_DETAIL_OPERATION_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/detail/default_token.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {
namespace detail {

using signature = void(std::error_code, std::size_t);

template <class Token>
concept frame_token = asio::completion_token_for<Token, signature>;

template <class Stream>
concept has_executor_type = requires {
  typename Stream::executor_type;
};

// The default completion token of the stream's executor; deferred for what is no stream, so that its check can speak.
template <class Stream>
struct default_token {
  using type = asio::deferred_t;
};

template <class Stream>
  requires has_executor_type<Stream>
struct default_token<Stream> {
  using type = asyncres::detail::default_token_t<typename Stream::executor_type>;
};

template <class Stream>
using default_token_t = typename default_token<Stream>::type;

// The bytes of a prefix stay where they are while the operation that reads or writes them moves.
template <class Prefix>
using stable_prefix = std::shared_ptr<std::array<std::byte, Prefix::size>>;

// Allocated with the associated allocator; without one, Asio's recycling allocator, as Asio's own operations do.
template <class Prefix, class Self>
stable_prefix<Prefix> allocate_prefix(const Self& self) {
  const auto allocator = asio::get_associated_allocator(self);
  if constexpr (std::same_as<decltype(allocator), const std::allocator<void>>)
    return std::allocate_shared<std::array<std::byte, Prefix::size>>(asio::recycling_allocator<void>());
  else
    return std::allocate_shared<std::array<std::byte, Prefix::size>>(allocator);
}

// Complete an operation that has nothing to wait for, without doing so inside the initiating function.
template <class Result = std::size_t, class Self>
void complete_immediately(Self& self, std::error_code error, Result result = {}) {
  const auto executor = asio::get_associated_immediate_executor(self, self.get_io_executor());
  asio::dispatch(executor, asio::append(std::move(self), error, result));
}

}  // namespace detail
}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_DETAIL_OPERATION_HPP
