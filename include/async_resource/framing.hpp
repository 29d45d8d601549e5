// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_FRAMING_HPP
#define ASYNC_RESOURCE_FRAMING_HPP

#include <async_resource/framing/concepts.hpp>
#include <async_resource/framing/frame_decoder.hpp>
#include <async_resource/framing/frame_reader.hpp>
#include <async_resource/framing/frame_writer.hpp>
#include <async_resource/framing/frames.hpp>
#include <async_resource/framing/length_prefix.hpp>
#include <async_resource/framing/read_frame.hpp>
#include <async_resource/framing/write_frame.hpp>

#endif  // ASYNC_RESOURCE_FRAMING_HPP
