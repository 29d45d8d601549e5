// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_CONCEPTS_HPP
#define ASYNC_RESOURCE_FRAMING_CONCEPTS_HPP

#include <concepts>
#include <cstddef>
#include <ranges>
#include <system_error>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace framing {

/// `Byte` is `char`, `unsigned char` or `std::byte`.
template <class Byte>
concept byte_type = std::same_as<Byte, char> || std::same_as<Byte, unsigned char> || std::same_as<Byte, std::byte>;

/// `Container` holds bytes one after another and can be resized, as `std::vector<std::byte>` and `std::string` can.
template <class Container>
concept byte_container = requires(Container& container, std::size_t size) {
  requires std::ranges::contiguous_range<Container>;
  requires std::ranges::sized_range<Container>;
  requires byte_type<std::ranges::range_value_t<Container>>;
  container.resize(size);
};

/// `Stream` meets Asio's AsyncReadStream requirements.
template <class Stream>
concept async_read_stream = requires(Stream& stream, asio::mutable_buffer buffer) {
  typename Stream::executor_type;
  { stream.get_executor() } -> std::convertible_to<typename Stream::executor_type>;
  stream.async_read_some(buffer, asio::deferred);
};

/// `Stream` meets Asio's AsyncWriteStream requirements.
template <class Stream>
concept async_write_stream = requires(Stream& stream, asio::const_buffer buffer) {
  typename Stream::executor_type;
  { stream.get_executor() } -> std::convertible_to<typename Stream::executor_type>;
  stream.async_write_some(buffer, asio::deferred);
};

/// `Stream` has a non-blocking mode, in which `write_some` takes what it can at once, as Asio's sockets have.
template <class Stream>
concept non_blocking_write_stream = requires(Stream& stream, asio::const_buffer buffer, std::error_code& error) {
  { stream.non_blocking() } -> std::convertible_to<bool>;
  { stream.write_some(buffer, error) } -> std::convertible_to<std::size_t>;
};

/// `Buffers` meets Asio's ConstBufferSequence requirements.
template <class Buffers>
concept const_buffer_sequence = asio::is_const_buffer_sequence<Buffers>::value;

}  // namespace framing
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_FRAMING_CONCEPTS_HPP
