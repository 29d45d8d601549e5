// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// Readers and writers of frames at both ends of a connection, over TLS.

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/ssl.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "async_resource/framing.hpp"
#include "support/contexts.hpp"
#include "support/echo.hpp"
#include "support/framing.hpp"

namespace {

using socket_type = asio::local::stream_protocol::socket;
using tls_stream = asio::ssl::stream<socket_type&>;

template <auto Free>
struct freer {
  void operator()(auto* object) const { Free(object); }
};
template <class T, auto Free>
using owned = std::unique_ptr<T, freer<Free>>;

void require(bool success) {
  if (!success) throw std::runtime_error("OpenSSL refuses to make a certificate");
}

owned<EVP_PKEY, EVP_PKEY_free> make_key() {
  const owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
  EVP_PKEY* key = nullptr;
  require(context && EVP_PKEY_keygen_init(context.get()) == 1 && EVP_PKEY_keygen(context.get(), &key) == 1);
  return owned<EVP_PKEY, EVP_PKEY_free>(key);
}

/// Signed by itself, and valid for an hour.
owned<X509, X509_free> make_certificate(EVP_PKEY* key) {
  owned<X509, X509_free> certificate(X509_new());
  require(certificate != nullptr);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  const auto* const text = reinterpret_cast<const unsigned char*>("test");
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1);
  require(X509_set_issuer_name(certificate.get(), name) == 1 && X509_set_pubkey(certificate.get(), key) == 1);
  require(X509_sign(certificate.get(), key, nullptr) != 0);
  return certificate;
}

/// For both roles; the client trusts the server's certificate.
asio::ssl::context make_context() {
  asio::ssl::context context(asio::ssl::context::tls);
  const auto key = make_key();
  const auto certificate = make_certificate(key.get());
  SSL_CTX* const native = context.native_handle();
  require(SSL_CTX_use_certificate(native, certificate.get()) == 1 && SSL_CTX_use_PrivateKey(native, key.get()) == 1);
  require(X509_STORE_add_cert(SSL_CTX_get_cert_store(native), certificate.get()) == 1);
  return context;
}

struct connection {
  explicit connection(auto& context) : sockets(context) { client.set_verify_mode(asio::ssl::verify_peer); }

  asio::awaitable<void> open(tls_stream& end) {
    const auto role = &end == &client ? tls_stream::client : tls_stream::server;
    co_await end.async_handshake(role, asio::use_awaitable);
  }
  asio::awaitable<void> close(tls_stream& end) { co_await end.async_shutdown(asio::use_awaitable); }

  asio::ssl::context tls = make_context();
  testing::socket_pair<asio::local::stream_protocol> sockets;
  tls_stream client{sockets.first, tls};
  tls_stream server{sockets.second, tls};
};

}  // namespace

TEMPLATE_TEST_CASE("over TLS, pipelined frames come back in order, then the end", "[framing][tls]",
                   ASYNC_RESOURCE_TEST_CONTEXTS) {
  testing::check_echo<connection, TestType>();
}

TEST_CASE("over TLS, while a client does not read its replies, the server does not read on", "[framing][tls]") {
  testing::check_back_pressure<connection>();
}

TEST_CASE("over TLS, frames that are added together are one record", "[framing][tls]") {
  asio::io_context context;
  connection ends(context);
  testing::echo_figures figures;
  const std::vector<std::string> payloads(64, std::string(64, 'x'));
  auto served = asio::co_spawn(context, testing::serve(ends, figures), asio::use_future);
  CHECK(testing::wait(context, asio::co_spawn(context, testing::exchange(ends, payloads), asio::use_future)) == 64);
  served.get();
  CHECK(figures.batches == 1);
}

TEST_CASE("a connection cut without TLS's closing is no clean end", "[framing][tls]") {
  asio::io_context context;
  connection ends(context);
  testing::echo_figures figures;
  const std::vector<std::string> one{"one"};
  const auto cut = [&]() -> asio::awaitable<void> {
    co_await ends.open(ends.client);
    co_await testing::send(ends, one);
    asyncres::framing::frame_reader reader(ends.client);
    co_await reader.async_read_frames(asio::use_awaitable);
    ends.sockets.first.close();
  };
  asio::co_spawn(context, cut(), asio::detached);
  auto served = asio::co_spawn(context, testing::serve(ends, figures), asio::use_future);
  context.run();
  CHECK(figures.frames == 1);
  CHECK(figures.end == asio::ssl::error::stream_truncated);
}
