// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_HPP
#define ASYNC_RESOURCE_PYTHON_HPP

#include <async_resource/python/detail/python.hpp>

#include <async_resource/python/app.hpp>
#include <async_resource/python/callable.hpp>
#include <async_resource/python/error.hpp>
#include <async_resource/python/interpreter.hpp>
#include <async_resource/python/interpreter_options.hpp>
#include <async_resource/python/options.hpp>
#include <async_resource/python/pending_reply.hpp>
#include <async_resource/python/reply.hpp>

#endif  // ASYNC_RESOURCE_PYTHON_HPP
