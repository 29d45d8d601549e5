// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support/contract_kinds.hpp"

// Promises 1, 2, 3, 6, 7, 8 and 9, one step at a time.

#define ASYNC_RESOURCE_CONTRACT_KINDS testing::on_handle
#include "support/contract_schedule_cases.hpp"
