// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_MEMBER_HOLDER_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_MEMBER_HOLDER_HPP

#include <future>

#include <asio.hpp>

#include "support/contexts.hpp"

namespace testing {

// Occupies one member of a pool until it is let go.
class member_holder {
 public:
  template <class Pool>
  explicit member_holder(const Pool& pool) {
    auto function = [this](typename Pool::resource_type& member) {
      index = member.index;
      began.set();
      return go.wait();
    };
    done = pool.async_invoke(std::move(function), asio::use_future);
  }
  bool release() {
    go.set();
    return done.get();
  }

  event began, go;
  std::size_t index = 0;
  std::future<bool> done;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_MEMBER_HOLDER_HPP
