// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_VERSION_HPP
#define ASYNC_RESOURCE_VERSION_HPP

/// The library's version: `ASYNC_RESOURCE_VERSION % 100` is the patch, `/ 100 % 1000` the minor, `/ 100000` the major.
/**
 * The one place where the version stands: the build reads it from here.
 */
#define ASYNC_RESOURCE_VERSION 100  // 0.1.0

#endif  // ASYNC_RESOURCE_VERSION_HPP
