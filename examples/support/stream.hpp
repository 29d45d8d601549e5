// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_STREAM_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_STREAM_HPP

#ifdef ASYNC_RESOURCE_EXAMPLES_TLS
#include <openssl/ssl.h>

#include <asio/ssl.hpp>
#endif

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/deferred.hpp>
#include <asio/error.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <memory>
#include <string_view>
#include <system_error>

#include "options.hpp"

namespace example {

// Without the type erasure of any_io_executor, which costs more than anything else that a server of small frames does
// outside the kernel.
using io_executor = asio::io_context::executor_type;

template <class T>
using awaitable = asio::awaitable<T, io_executor>;

inline constexpr asio::use_awaitable_t<io_executor> use_awaitable;

/// TCP and Unix sockets.
using plain_stream = asio::basic_stream_socket<asio::generic::stream_protocol, io_executor>;

template <class Stream>
Stream& lowest_stream(Stream& stream) noexcept {
  return stream;
}

template <class Stream>
awaitable<void> shake_hands(Stream&) {
  co_return;
}

template <class Stream>
awaitable<void> close_notify(Stream&) {
  co_return;
}

/// Whether nothing has been received that the stream itself keeps until more comes.
template <class Stream>
bool between_records(Stream&) noexcept {
  return true;
}

#ifdef ASYNC_RESOURCE_EXAMPLES_TLS

using tls_stream = asio::ssl::stream<plain_stream>;

inline plain_stream& lowest_stream(tls_stream& stream) noexcept {
  return stream.next_layer();
}

inline awaitable<void> shake_hands(tls_stream& stream) {
  co_await stream.async_handshake(tls_stream::server, asio::deferred);
}

/// Say that no more will be sent. Does not wait for the peer to say so too.
inline awaitable<void> close_notify(tls_stream& stream) {
  // As if it had. Whoever closes waits for the end of TCP; and where that has been read already, without a close_notify,
  // Asio does not read it again: epoll tells of an edge, and there is no other.
  SSL_set_shutdown(stream.native_handle(), SSL_get_shutdown(stream.native_handle()) | SSL_RECEIVED_SHUTDOWN);
  co_await stream.async_shutdown(asio::as_tuple(asio::deferred));
}

// Of a record that is not whole, OpenSSL keeps the rest; when it has just the header, the state alone tells.
inline bool between_records(tls_stream& stream) noexcept {
  SSL* const tls = stream.native_handle();
  return SSL_has_pending(tls) == 0 && std::string_view(SSL_rstate_string(tls)) == "RH";
}

inline bool is_end(std::error_code error) {
  return error == asio::error::eof || error == asio::ssl::error::stream_truncated;
}

/// TLS 1.2 and later; null without a certificate. Throws std::system_error.
inline std::unique_ptr<asio::ssl::context> make_tls(const options& settings) {
  if (settings.tls_certificate.empty()) return nullptr;
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  context->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION);
  const auto& key = settings.tls_key.empty() ? settings.tls_certificate : settings.tls_key;
  std::error_code error;
  context->use_certificate_chain_file(settings.tls_certificate, error);
  if (error) throw std::system_error(error, settings.tls_certificate);
  context->use_private_key_file(key, asio::ssl::context::pem, error);
  if (error) throw std::system_error(error, key);
  return context;
}

#else

inline bool is_end(std::error_code error) {
  return error == asio::error::eof;
}

#endif

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_STREAM_HPP
