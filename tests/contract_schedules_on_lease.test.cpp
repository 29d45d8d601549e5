// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support/contract_kinds.hpp"

// One step at a time, as in contract_schedules.test.cpp, by way of a lease.

#define ASYNC_RESOURCE_CONTRACT_KINDS testing::on_lease
#include "support/contract_schedule_cases.hpp"
