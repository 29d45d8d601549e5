// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support/contract_kinds.hpp"

// Every token, as in contract_tokens.test.cpp, on a pool.

#define ASYNC_RESOURCE_CONTRACT_KINDS testing::on_pool
#include "support/contract_token_cases.hpp"
