// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_INTERPRETER_OPTIONS_HPP
#define ASYNC_RESOURCE_PYTHON_INTERPRETER_OPTIONS_HPP

#include <string>
#include <vector>

namespace asyncres {
inline namespace v0 {
namespace python {

/// How an `interpreter` starts. Text is UTF-8.
struct interpreter_options {
  /// Folders to put in front of `sys.path`, in this order.
  std::vector<std::string> path = {};
  /// `sys.argv`. Python itself parses none of it.
  std::vector<std::string> arguments = {};
  /// The `python3` whose installation or virtual environment serves; by default the installation of libpython, or with
  /// `use_environment` that of the first `python3` in PATH.
  std::string program = {};
  /// Whether PATH, PYTHONPATH, PYTHONHOME and Python's other environment variables have a say, and what is installed
  /// for the user only is found, as by `python3`. The locale and the standard streams stay the host's all the same.
  bool use_environment = false;
};

}  // namespace python
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_INTERPRETER_OPTIONS_HPP
