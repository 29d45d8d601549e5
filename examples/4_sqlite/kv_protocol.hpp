// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_4_SQLITE_KV_PROTOCOL_HPP
#define ASYNC_RESOURCE_EXAMPLES_4_SQLITE_KV_PROTOCOL_HPP

#include <async_resource/framing.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

// What kv_server and kv_client say to each other. Requests and replies are frames: the length in two bytes, most
// significant first, then the payload, which is a letter and then fields, each of them a frame too.
//
//   request                                          reply
//   P key value [key value]...  put all, or none     +
//   G key                       get                  + value, or - if there is none
//   D key                       delete               +, or - if there was none
//   S key                       scan                 + [key value]..., those behind the key, in order, as many as fit;
//                                                    none at the end
//
// A reply may also be ! and, without a prefix, why it was not done. Keys and values are bytes; a key has one at least.
//
// A reply is at most what a frame holds, and at most the server's --limit. A get of an entry that does not fit, and a
// scan that would begin with one, are answered by "!the entry is larger than a reply"; what was put under the same
// limit fits. Where the limit is too small even for that refusal, the connection is closed.
//
// Replies come in the order of their connection's requests. None, be it to a put or a get, is sent before what it tells
// of is on the disk.

namespace example {

inline void append_field(std::string& message, std::string_view field) {
  using prefix = asyncres::framing::length_prefix<>;
  if (field.size() > prefix::max) throw std::length_error("a field is too long");
  for (const auto byte : prefix::encode(static_cast<std::uint16_t>(field.size()))) {
    message.push_back(static_cast<char>(byte));
  }
  message += field;
}

/// Takes a message apart. From where something is wrong with it on, all is empty.
/**
 * Throws nothing: a peer may send what is wrong by the million.
 */
class fields {
 public:
  explicit fields(std::string_view rest) noexcept : rest_(rest) {}

  bool empty() const noexcept { return rest_.empty(); }

  /// What is wrong with the message, or null.
  const char* wrong() const noexcept { return wrong_; }

  /// Say what is wrong, unless that is known already.
  void fail(const char* why) noexcept {
    if (!wrong_) wrong_ = why;
    rest_ = {};
  }

  /// The letter that a message begins with.
  char letter() noexcept {
    const auto first = take(1);
    return first.empty() ? '\0' : first[0];
  }

  std::string_view next() noexcept {
    using prefix = asyncres::framing::length_prefix<>;
    const auto bytes = std::as_bytes(std::span(take(prefix::size)));
    return bytes.empty() ? std::string_view() : take(prefix::decode(bytes.first<prefix::size>()));
  }

  std::string_view key() noexcept {
    const auto result = next();
    if (result.empty()) fail("a key is empty");
    return result;
  }

  void end() noexcept {
    if (!empty()) fail("the request has too many fields");
  }

 private:
  std::string_view take(std::size_t size) noexcept {
    if (size > rest_.size()) {
      fail("the request is cut short");
      return {};
    }
    const auto result = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return result;
  }

  std::string_view rest_;
  const char* wrong_ = nullptr;
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_4_SQLITE_KV_PROTOCOL_HPP
