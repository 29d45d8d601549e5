// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support/contract_kinds.hpp"

// Every token, as in contract_tokens.test.cpp, by way of a lease.

#define ASYNC_RESOURCE_CONTRACT_KINDS testing::on_lease
#include "support/contract_token_cases.hpp"

TEST_CASE("every token: once the lease has ended, an operation that it made is refused as closed",
          "[async_resource][contract][tokens]") {
  trial<testing::on_lease> op;
  CAPTURE(op.token.name);
  if (!op.token.tells_failures) return;
  op.token.immediate = false;  // Home finds that out, when it gets there.
  op.t.door().end_first();
  op.start();
  op.check(errc::closed, 0);
}
