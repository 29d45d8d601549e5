// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <asio/io_context.hpp>
#include <async_resource.hpp>
#include <exception>

int main() {
  asio::io_context context;
  auto counter = asyncres::make_async_resource<int>(context, 41);
  int answer = 0;
  counter.async_invoke([](int& n) { return ++n; }, [&](std::exception_ptr, int n) { answer = n; });
  context.run();
  return answer == 42 ? 0 : 1;
}
