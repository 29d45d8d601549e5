// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_ERROR_HPP
#define ASYNC_RESOURCE_PYTHON_ERROR_HPP

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace asyncres {
inline namespace v0 {
namespace python {

/// What a Python exception said.
/**
 * Text only, free of any Python object: it may be copied, kept and destroyed by any thread, also after the interpreter
 * is gone. `what()` is the exception's message, its `str()`. All text is UTF-8; lone surrogates are escaped.
 *
 * @par Thread Safety  As that of `std::string`. Copies share nothing that changes.
 * @par Exceptions     Copying does not throw.
 */
class error : public std::runtime_error {
 public:
  /// From what type(), what() and traceback() give, in UTF-8. Throws std::bad_alloc.
  error(std::string type, const std::string& message, std::string traceback = {})
      : std::runtime_error(message), text_(std::make_shared<const text>(std::move(type), std::move(traceback))) {}

  // Without moves: a moved-from error would have no text.
  error(const error&) noexcept = default;
  error& operator=(const error&) noexcept = default;

  /// The name of the exception's class, without its module: `"ValueError"`.
  const std::string& type() const noexcept { return text_->first; }

  /// What Python would print, as `traceback.format_exception` has it, causes included. Empty if no Python code ran.
  const std::string& traceback() const noexcept { return text_->second; }

 private:
  using text = std::pair<std::string, std::string>;

  std::shared_ptr<const text> text_;
};

}  // namespace python
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_ERROR_HPP
