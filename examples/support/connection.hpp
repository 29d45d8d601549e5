// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_SUPPORT_CONNECTION_HPP
#define ASYNC_RESOURCE_EXAMPLES_SUPPORT_CONNECTION_HPP

#include <algorithm>
#include <array>
#include <asio/as_tuple.hpp>
#include <asio/buffer.hpp>
#include <asio/deferred.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/socket_base.hpp>
#include <async_resource/framing.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "options.hpp"
#include "roster.hpp"
#include "statistics.hpp"
#include "stream.hpp"

namespace example {

/// One connection: a stream of frames, the limits that it is under, and what is told of it at its end.
/**
 * A session is a coroutine that reads requests and gives replies. What it throws ends the connection; so does the end
 * of the stream, a time-out or a drain, which read() throws. Replies given by then are sent.
 */
template <class Stream, class Prefix = asyncres::framing::length_prefix<>>
class connection final : public watched {
 public:
  using frames = asyncres::framing::frames<Prefix>;

  template <class... Args>
  connection(roster& all, const options& settings, std::string peer, Args&&... args)
      : all_(all),
        log_(settings.log),
        in_flight_(std::max<std::size_t>(settings.in_flight, 1)),
        peer_(std::move(peer)),
        stream_(std::forward<Args>(args)...),
        reader_(stream_, {.limit = settings.limit, .max_frames = in_flight_}),
        writer_(stream_, settings.limit) {
    watched::enter(phase::handshake, all_.now);
  }

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  ~connection() {
    all_.connections.erase(place_);
    tell();
  }

  Stream& stream() noexcept { return stream_; }

  /// The requests that have arrived, one at least; valid until the next call. Replies that wait are sent first, and the
  /// other connections have their turn.
  awaitable<frames> read() {
    if (!send()) co_await flush();
    // A peer that has its reply only now has not asked again yet. When the others have had their turn, it often has: one
    // read finds more, and fewer find nothing.
    co_await asio::post(stream_.get_executor(), asio::deferred);
    co_return end_read(co_await begin_read());
  }

  /// The same, and no more: for a session that owes replies, and sends them while this goes on.
  awaitable<frames> read_on() { co_return end_read(co_await begin_read()); }

  /// Have read_on() throw `operation_aborted`, now and from now on.
  void stop_reading() noexcept {
    stopped_ = true;
    cancel();
  }

  /// How many requests are read at once, at most.
  std::size_t in_flight() const noexcept { return in_flight_; }

  /// So many more replies are owed, by a session that reads on: it is not idle, and the app may take any time.
  void owe(std::size_t replies) noexcept {
    owed_ += replies;
    settle();
  }

  /// One that was owed has been given.
  void paid() noexcept {
    --owed_;
    settle();
  }

  /// Add a reply, copied, to those that wait. Throws `errc::frame_too_large`.
  template <class Payload>
  void reply(const Payload& payload) {
    check(writer_.add(payload));
  }

  /// Whether so much waits to be sent that a session should flush before it adds more: large replies to many requests.
  bool full() const noexcept { return writer_.size() >= most_unsent; }

  /// Send what the stream takes at once of the replies that wait. Whether that was all.
  bool send() {
    if (writer_.size() == 0) return true;
    if constexpr (asyncres::framing::non_blocking_write_stream<Stream>) {
      std::error_code error;
      const std::size_t bytes = writer_.flush_some(error);
      sent(error, bytes);
    }
    return writer_.size() == 0;
  }

  /// Send the replies that wait, where a session does not call read().
  awaitable<void> flush() {
    enter(phase::peer_to_read);
    flushing_ = true;
    const auto [error, bytes] = co_await writer_.async_flush(asio::as_tuple(asio::deferred));
    flushing_ = false;
    sent(error, bytes);
  }

  // For a session that reads and writes the stream by itself.

  /// Say what comes next.
  void enter(phase next) noexcept { watched::enter(next, all_.now); }

  /// Say that requests have arrived, in so many bytes.
  void took(std::size_t requests, std::size_t bytes) noexcept {
    settle();
    requests_ += requests;
    bytes_in_ += bytes;
    all_.totals.requests.add(requests);
    all_.totals.bytes_in.add(bytes);
  }

  /// Say that so many bytes have been sent.
  void gave(std::size_t bytes) noexcept {
    settle();
    bytes_out_ += bytes;
    all_.totals.bytes_out.add(bytes);
  }

  /// Run a session from the handshake to the goodbye.
  template <class Session>
  awaitable<void> run(Session& session) {
    try {
      co_await shake_hands(stream_);
      open_ = !expired();
      co_await session(*this);
      end_ = "the server has finished";
    } catch (...) {
      explain(std::current_exception());
    }
    try {
      if (open_) co_await say_goodbye();
    } catch (...) {
      if (!failed_) explain(std::current_exception());
    }
    if (!failed_ && expired() && *expired() != phase::goodbye)
      end_ = name_of(*expired()), failed_ = *expired() != phase::idle;
  }

 private:
  using clock = std::chrono::steady_clock;

  static constexpr std::size_t most_unsent = 256 * 1024;

  void cancel() noexcept override {
    std::error_code ignored;
    stream_.lowest_layer().cancel(ignored);
  }

  void close() noexcept override {
    open_ = false;
    std::error_code ignored;
    stream_.lowest_layer().close(ignored);
  }

  bool between_frames() noexcept override { return reader_.between_frames() && between_records(stream_); }

  static void check(std::error_code error) {
    if (error) throw std::system_error(error);
  }

  auto begin_read() {
    if (stopped_ || (all_.draining && bytes_in_ >= last_byte()))
      throw std::system_error(asio::error::operation_aborted);
    reading_ = true;
    settle();
    return reader_.async_read_frames(asio::as_tuple(asio::deferred));
  }

  frames end_read(std::tuple<std::error_code, frames> result) {
    const auto& [error, requests] = result;
    reading_ = false;
    took(requests.size(), requests.bytes().size());
    check(error);
    return requests;
  }

  // What it waits for, unless that is the peer, to read what is being sent.
  void settle() noexcept {
    if (flushing_) return;
    if (!reading_ || owed_ != 0) return enter(phase::serving);
    enter(between_frames() ? phase::idle : phase::rest_of_frame);
  }

  void sent(std::error_code error, std::size_t bytes) {
    gave(bytes);
    if (error) open_ = false;
    check(error);
  }

  bool cancelled_by_drain(std::error_code error) const noexcept {
    return error == asio::error::operation_aborted && all_.draining;
  }

  // How far the stream is read during a drain: to what had arrived when it began, or a little further.
  std::uint64_t last_byte() {
    const std::size_t in_buffers = 64 * 1024 + writer_.limit();
    std::error_code ignored;
    if (last_byte_ == 0) last_byte_ = bytes_in_ + stream_.lowest_layer().available(ignored) + in_buffers;
    return last_byte_;
  }

  awaitable<void> say_goodbye() {
    if (!send()) co_await flush();
    enter(phase::goodbye);
    co_await close_notify(stream_);
    auto& socket = lowest_stream(stream_);
    std::error_code error;
    socket.shutdown(asio::socket_base::shutdown_send, error);
    // A socket that is closed with bytes unread resets the connection, and the peer may lose the last replies.
    std::array<std::byte, 1024> discarded;
    while (!error) {
      std::size_t bytes;
      std::tie(error, bytes) = co_await socket.async_read_some(asio::buffer(discarded), asio::as_tuple(asio::deferred));
    }
  }

  // Why it ends, unless that is a time-out.
  void explain(std::exception_ptr failure) try {
    std::rethrow_exception(failure);
  } catch (const std::system_error& thrown) {
    if (expired()) return;
    const auto error = thrown.code();
    if (cancelled_by_drain(error))
      end_ = "drained";
    else if (is_end(error) && between_frames())
      end_ = "closed by the peer";
    else
      end_ = error.message(), failed_ = true;
  } catch (const std::exception& thrown) {
    end_ = thrown.what(), failed_ = true;
  } catch (...) {
    end_ = "unknown exception", failed_ = true;
  }

  static std::string_view name_of(phase expired) noexcept {
    switch (expired) {
      case phase::handshake: return "handshake timeout";
      case phase::idle: return "idle timeout";
      case phase::rest_of_frame: return "read timeout";
      case phase::peer_to_read: return "write timeout";
      case phase::serving:
      case phase::goodbye: break;
    }
    return "";
  }

  void tell() const {
    if (failed_) all_.totals.failed.add(1);
    if (expired()) all_.totals.timed_out.add(1);
    if (log_) {
      const seconds lasted = clock::now() - began_;
      std::ostringstream line;
      line << "event=closed peer=" << logfmt_value(peer_) << " requests=" << requests_ << " bytes_in=" << bytes_in_
           << " bytes_out=" << bytes_out_ << " seconds=" << lasted.count() << " end=" << in_quotes(end_);
      write_line(line.str());
    } else if (failed_) {
      all_.complaints.write(indented(peer_ + ": " + end_));
    }
  }

  roster& all_;
  const bool log_;
  const std::size_t in_flight_;
  const std::string peer_;
  const clock::time_point began_ = clock::now();
  const std::list<watched*>::iterator place_ = all_.connections.insert(all_.connections.end(), this);

  Stream stream_;
  asyncres::framing::frame_reader<Stream, Prefix> reader_;
  asyncres::framing::frame_writer<Stream, Prefix> writer_;

  std::uint64_t requests_ = 0, bytes_in_ = 0, bytes_out_ = 0;
  std::uint64_t last_byte_ = 0;  // 0 until a drain
  std::size_t owed_ = 0;         // replies, by a session that reads on
  bool reading_ = false;
  bool stopped_ = false;
  bool flushing_ = false;
  std::string end_ = "dropped";
  bool failed_ = false;
  bool open_ = false;  // to replies: from the handshake on, until a write fails or a time-out
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_SUPPORT_CONNECTION_HPP
