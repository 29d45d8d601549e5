// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_ERROR_CODES_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_ERROR_CODES_HPP

#include <async_resource/error.hpp>
#include <exception>
#include <system_error>
#include <utility>

namespace testing {

/// The code of the std::system_error that the function throws; other exceptions come out.
template <class Function>
std::error_code code_thrown_by(Function&& function) {
  try {
    std::forward<Function>(function)();
    return {};
  } catch (const std::system_error& e) {
    return e.code();
  }
}

inline std::error_code code_of(const std::exception_ptr& e) {
  if (!e) return {};
  return code_thrown_by([&] { std::rethrow_exception(e); });
}

/// The same; `errc::exception` for an exception that has no code.
inline std::error_code code_or_exception_of(const std::exception_ptr& e) {
  try {
    return code_of(e);
  } catch (...) {
    return asyncres::errc::exception;
  }
}

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_ERROR_CODES_HPP
