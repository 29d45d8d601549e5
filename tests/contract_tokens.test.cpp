// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support/contract_kinds.hpp"

// Promise 4: every token, against each promise that it touches.

#define ASYNC_RESOURCE_CONTRACT_KINDS testing::on_handle
#include "support/contract_token_cases.hpp"
