// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// The decoder, fed in pieces, against the naive one, which at the end of each piece is given all that came so far.
//
// The input:  kind, limit (2 bytes), number of cuts, cuts..., the stream
// The last cut repeats; without one, or if it is 0, the rest of the stream is one piece.

#include "async_resource/framing/frame_decoder.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "async_resource/framing/length_prefix.hpp"
#include "heap_watch.hpp"
#include "naive_decoder.hpp"
#include "script.hpp"

namespace {

using namespace fuzzing;
using asyncres::framing::frame_decoder;
using asyncres::framing::length_prefix;

// What the heap has for one payload; a decoder without a limit asks for more.
constexpr std::size_t heap_size = 1 << 17;

/// The sizes of the pieces that a stream comes in.
class cuts {
 public:
  explicit cuts(bytes sizes) : sizes_(sizes) {}

  std::size_t next(std::size_t available) {
    if (position_ == sizes_.size()) return last_ == 0 ? available : std::min(last_, available);
    last_ = std::to_integer<std::size_t>(sizes_[position_++]);
    return std::min(last_, available);
  }

 private:
  bytes sizes_;
  std::size_t position_ = 0;
  std::size_t last_ = 0;
};

template <class Prefix>
class decoder_test {
 public:
  decoder_test(const frame_format& format, bool heap_fails, bytes stream)
      : decoder_(format.limit), format_(format), heap_fails_(heap_fails), stream_(stream) {}

  void run(cuts pieces) {
    check(decoder_.limit() == format_.limit, "the limit is the one given");
    check(!decoder_.finish(), "nothing came, nothing is missing");
    while (received_ != stream_.size() && !out_of_memory_) feed(pieces.next(stream_.size() - received_));
  }

 private:
  // Each piece is a block of its own, which ends with it: nothing behind it may be read, and nothing of it kept.
  void feed(std::size_t size) {
    const auto received = stream_.subspan(received_, size);
    const std::vector<std::byte> piece(received.begin(), received.end());
    received_ += size;
    const auto expected = decode_naively(format_, stream_.first(received_));

    bytes input(piece);
    while (const auto payload = next(input, expected)) check_payload(*payload, piece, expected);
    if (out_of_memory_) return;
    check(yielded_ == expected.payloads.size(), "each frame that is whole is yielded");
    check(decoder_.error() == expected.error(), "a frame is too large as soon as its prefix is there");
    check(decoder_.finish() == expected.finish(), "an end here means what it means");
    const std::size_t left = expected.too_large ? expected.rest.size() - format_.prefix_size : 0;
    check(input.size() == std::min(left, size), "all is taken but what follows a prefix that is too large");
  }

  // If so asked, the heap is empty at the first attempt at each payload, and the second has to make up for it.
  std::optional<bytes> next(bytes& input, const naive_frames& expected) {
    if (heap_fails_) {
      const auto payload = attempt(input, 0, expected);
      if (!out_of_memory_) return payload;
    }
    return attempt(input, heap_size, expected);
  }

  std::optional<bytes> attempt(bytes& input, std::size_t heap, const naive_frames& expected) {
    out_of_memory_ = false;
    const heap_watch watch(heap);
    try {
      const auto payload = decoder_.next(input);
      check_reserved(watch.largest(), expected);
      return payload;
    } catch (const std::bad_alloc&) {
    } catch (const std::length_error&) {
    }
    out_of_memory_ = true;
    check_reserved(watch.largest(), expected);
    check_refused(input, heap, expected);
    return std::nullopt;
  }

  void check_reserved(std::size_t largest, const naive_frames& expected) const {
    check(largest == 0 || received_ > offset(expected), "nothing is reserved before a byte of the payload is there");
    check(largest <= announced(expected), "no more is reserved than was announced, within the limit");
  }

  void check_refused(bytes input, std::size_t heap, const naive_frames& expected) const {
    check(announced(expected) > heap, "the heap is asked for no more than the payload");
    check(received_ - input.size() == offset(expected), "no byte of a payload is taken before there is room for it");
    check(!decoder_.error(), "a lack of memory is no error of the stream");
    check(decoder_.finish() == asyncres::errc::frame_truncated, "without its payload the frame is not finished");
  }

  void check_payload(bytes payload, bytes piece, const naive_frames& expected) {
    check(yielded_ < expected.payloads.size(), "only frames that are whole are yielded");
    check(std::ranges::equal(payload, expected.payloads[yielded_]), "the payload is what was sent");
    const std::size_t begin = offset(expected);
    const std::size_t piece_begin = received_ - piece.size();
    const bool in_place = begin < piece_begin || payload.data() == piece.data() + (begin - piece_begin);
    check(in_place, "a payload that lies whole in the input is not copied");
    ++yielded_;
  }

  bool next_is_whole(const naive_frames& expected) const { return yielded_ != expected.payloads.size(); }

  // The length of the next payload, if it is known and accepted.
  std::uint64_t announced(const naive_frames& expected) const {
    if (next_is_whole(expected)) return expected.payloads[yielded_].size();
    return expected.too_large ? 0 : expected.announced;
  }

  // Where the next payload begins in the stream.
  std::size_t offset(const naive_frames& expected) const {
    if (next_is_whole(expected)) return static_cast<std::size_t>(expected.payloads[yielded_].data() - stream_.data());
    return static_cast<std::size_t>(expected.rest.data() - stream_.data()) + format_.prefix_size;
  }

  frame_decoder<Prefix> decoder_;
  frame_format format_;
  bool heap_fails_;
  bytes stream_;
  std::size_t received_ = 0;
  std::size_t yielded_ = 0;
  bool out_of_memory_ = false;
};

template <class Length, std::endian Order = std::endian::big>
void run(script input, bool heap_fails) {
  const std::size_t low = input.byte();
  const std::size_t limit = low + 256 * input.byte();
  const frame_format format{sizeof(Length), Order == std::endian::big, limit == 0xffff ? SIZE_MAX : limit};
  const cuts pieces(input.take(input.byte()));
  decoder_test<length_prefix<Length, Order>>(format, heap_fails, input.rest()).run(pieces);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  script input(data, size);
  const std::size_t kind = input.byte();
  const bool heap_fails = kind >= 192;
  switch (kind % 8) {
    case 0: run<std::uint16_t>(input, heap_fails); break;
    case 1: run<std::uint16_t, std::endian::little>(input, heap_fails); break;
    case 2: run<std::uint32_t>(input, heap_fails); break;
    case 3: run<std::uint32_t, std::endian::little>(input, heap_fails); break;
    case 4: run<std::uint64_t>(input, heap_fails); break;
    case 5: run<std::uint64_t, std::endian::little>(input, heap_fails); break;
    default: run<std::uint8_t>(input, heap_fails);
  }
  return 0;
}
