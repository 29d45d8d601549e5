// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_PYTHON_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_PYTHON_HPP

// The one file that includes Python.h, which wants to come before any standard header: include this one first.

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>

#if PY_VERSION_HEX < 0x03080000
#error "async_resource needs CPython 3.8 or later."
#endif

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_PYTHON_HPP
