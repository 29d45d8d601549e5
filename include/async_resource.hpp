// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_HPP
#define ASYNC_RESOURCE_HPP

// All of async_resource but its Python part, which is <async_resource/python.hpp>.

#include <async_resource/async_resource.hpp>
#include <async_resource/cancellation_view.hpp>
#include <async_resource/concepts.hpp>
#include <async_resource/double_dispatch.hpp>
#include <async_resource/error.hpp>
#include <async_resource/framing.hpp>
#include <async_resource/home_ptr.hpp>
#include <async_resource/lease.hpp>
#include <async_resource/observer.hpp>
#include <async_resource/options.hpp>
#include <async_resource/pool.hpp>
#include <async_resource/tokens/block.hpp>
#include <async_resource/tokens/completion_token_transform.hpp>
#include <async_resource/version.hpp>

#endif  // ASYNC_RESOURCE_HPP
