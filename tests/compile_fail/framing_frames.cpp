// expect: frames<Prefix> takes a prefix, such as length_prefix<std::uint32_t>

// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <cstdint>

#include "async_resource/framing.hpp"

asyncres::framing::frames<std::uint32_t> frames;
