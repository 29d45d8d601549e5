// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_TARGET_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_TARGET_HPP

#include <async_resource/python/detail/python.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <async_resource/python/detail/end_child.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

inline object to_str(std::string_view text) {
  return checked(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
}

// "package.module:attribute.of.it", taken apart.
class target {
 public:
  explicit target(std::string text) : text_(std::move(text)), colon_(text_.find(':')) {
    if (colon_ == 0 || colon_ >= text_.size() - 1 || text_.find(':', colon_ + 1) != std::string::npos)
      throw std::invalid_argument("not of the form \"module:attribute\": \"" + text_ + '"');
  }

  // Imports the module and looks the attribute up. The GIL of `python` is held.
  object load(const shared_interpreter& python) const {
    const std::string_view text = text_;
    object found = checked(in_parent(python, PyImport_Import(to_str(text.substr(0, colon_)).get())));
    for (auto rest = text.substr(colon_ + 1);;) {
      const auto dot = rest.find('.');
      found = checked(in_parent(python, PyObject_GetAttr(found.get(), to_str(rest.substr(0, dot)).get())));
      if (dot == std::string_view::npos) return found;
      rest.remove_prefix(dot + 1);
    }
  }

 private:
  std::string text_;
  std::string::size_type colon_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_TARGET_HPP
