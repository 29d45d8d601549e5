// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_INITIALIZE_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_INITIALIZE_HPP

#include <async_resource/python/detail/python.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/interpreter_options.hpp>

#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#endif

namespace asyncres {
inline namespace v0 {
namespace python::detail {

inline void check(const PyStatus& status) {
  if (PyStatus_Exception(status))
    throw std::runtime_error(std::string("Python does not start: ") + (status.err_msg ? status.err_msg : "it exits"));
}

// Signals and the standard streams stay the host's, and nobody parses its arguments.
struct configuration : PyConfig {
  explicit configuration(bool environment) {
    environment ? PyConfig_InitPythonConfig(this) : PyConfig_InitIsolatedConfig(this);
    install_signal_handlers = 0;
    configure_c_stdio = 0;
    parse_argv = 0;
  }
  configuration(const configuration&) = delete;
  configuration& operator=(const configuration&) = delete;
  ~configuration() { PyConfig_Clear(this); }
};

// Where Python looks for its standard library from: beside its own library. Left to itself it would take the first
// `python3` of the environment's PATH, which may be another installation.
inline std::string program_beside_library() {
#if __has_include(<dlfcn.h>)
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&Py_IsInitialized), &info) != 0 && info.dli_fname)
    return std::filesystem::absolute(info.dli_fname).replace_filename("python3").string();
#endif
  return {};
}

inline std::string program_of(const interpreter_options& options) {
  return options.program.empty() && !options.use_environment ? program_beside_library() : options.program;
}

// UTF-8 throughout, for the locale belongs to the host.
inline void preinitialize(const interpreter_options& options) {
  PyPreConfig config;
  options.use_environment ? PyPreConfig_InitPythonConfig(&config) : PyPreConfig_InitIsolatedConfig(&config);
  config.configure_locale = 0;
  config.coerce_c_locale = 0;
  config.utf8_mode = 1;
  check(Py_PreInitialize(&config));
}

inline void set_arguments(PyConfig& config, std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  check(PyConfig_SetBytesArgv(&config, static_cast<Py_ssize_t>(pointers.size()), pointers.data()));
}

inline void initialize(const interpreter_options& options) {
#if PY_VERSION_HEX < 0x03090000
  Py_SetPath(nullptr);  // Forgets where the interpreter before this one looked.
#endif
  preinitialize(options);
  configuration config(options.use_environment);
  if (const auto program = program_of(options); !program.empty())
    check(PyConfig_SetBytesString(&config, &config.program_name, program.c_str()));
  set_arguments(config, options.arguments);
  check(Py_InitializeFromConfig(&config));
}

// To the front of sys.path, in order.
inline void extend_path(const interpreter_options& options) {
  PyObject* path = PySys_GetObject("path");  // borrowed
  Py_ssize_t position = 0;
  for (const auto& entry : options.path) {
    const object text = checked(PyUnicode_DecodeFSDefaultAndSize(entry.data(), static_cast<Py_ssize_t>(entry.size())));
    if (PyList_Insert(path, position++, text.get()) != 0) throw take_error();
  }
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_INITIALIZE_HPP
